#!/usr/bin/env node
// make-manual.mjs: the manual pages and the completion in packaging/, from the binary's own table of verbs and the words below.
//   node tools/make-manual.mjs [TO]        (binary: $TONGHUI_BINARY, else build/tonghui)
// tests/cli checks that what is committed is what this makes.
import { execFileSync } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('../', import.meta.url))
const binary = process.env.TONGHUI_BINARY ?? join(root, 'build/tonghui')
const to = process.argv[2] ?? join(root, 'packaging')
const { verbs, everywhere } = JSON.parse(execFileSync(binary, ['help', '--json'], { encoding: 'utf8' }))
const { version } = JSON.parse(execFileSync(binary, ['version', '--json'], { encoding: 'utf8' }))
mkdirSync(to, { recursive: true })

const roff = (text) => text.replaceAll('\\', '\\e').replaceAll('-', '\\-').replace(/^([.'])/gm, '\\&$1')
const usage = (v) =>
  [
    `\\fBtonghui ${roff(v.name)}\\fR`,
    v.words && `\\fI${roff(v.words)}\\fR`,
    ...v.options.map((o) => {
      const text = `\\fB\\-\\-${roff(o.name)}\\fR${o.value ? ` \\fI${roff(o.value)}\\fR` : ''}`
      return o.must ? text : `[${text}]`
    }),
    v.node && '\\fB\\-\\-node\\fR \\fIDIR\\fR',
  ]
    .filter(Boolean)
    .join(' ')
const option = (o, lang) => `.TP\n\\fB\\-\\-${roff(o.name)}\\fR${o.value ? ` \\fI${roff(o.value)}\\fR` : ''}\n${roff(o[lang])}`
const options = (list, lang) => `.RS\n${list.map((o) => option(o, lang)).join('\n')}\n.RE`
const DATE = '2026-11-24'

const words = {
  en: {
    title: 'TONGHUI',
    manual: 'Tonghui Manual',
    sections: ['NAME', 'SYNOPSIS', 'DESCRIPTION', 'OPTIONS', 'COMMANDS', 'EXIT STATUS', 'ENVIRONMENT', 'FILES', 'EXAMPLES', 'SEE ALSO'],
    name: 'tonghui \\- one small daemon per administration; together, a region',
    synopsis: '\\fBtonghui\\fR \\fIVERB\\fR [\\fIWORDS\\fR] [\\fIOPTIONS\\fR]',
    description: `A node is one administration's installation: a directory with its configuration, its keys and its store. Nodes whose administrations have
signed one trust document are a region: they verify facts with one another, hand cases over, and can prove every look.
.PP
Verbs that take \\fB\\-\\-node\\fR work on the node's directory, also while the node runs; \\fBask\\fR and \\fBcatalogue\\fR speak to the running node.
Results go to standard output, words for people to standard error.`,
    exit: [
      ['0', 'Done.'],
      ['1', 'Failed: the words say why. \\fBdoctor\\fR found at least one fault.'],
      ['2', 'Wrong usage: an unknown verb, option or value, or something is missing.'],
      ['3', 'Refused: forbidden, in conflict with the state, or not there.'],
      ['4', 'Unavailable for now: busy, a peer or the node does not answer, time is up.'],
    ],
    environment: [
      ['TONGHUI_NODE', 'The node\'s directory, when \\fB\\-\\-node\\fR is not given.'],
      ['TONGHUI_LANG, LANG', 'The language of the words: English when it begins with en, else Chinese.'],
      ['TONGHUI_KEY', 'The API key for \\fBask\\fR; better than \\fB\\-\\-key\\fR, which others can see.'],
      ['TONGHUI_PASSWORD', 'The password for \\fBuser add\\fR and \\fBuser password\\fR.'],
    ],
    files: [
      ['DIR/node.json', 'Configuration of the node.'],
      ['DIR/keys/', 'Secrets, mode 0600: message, journal, certificate and governor keys, the TLS identity, and the secret under which data is sealed. Not in backups.'],
      ['DIR/store.sqlite', 'The store, unless it is PostgreSQL.'],
    ],
    examples: [
      ['A node, and what it tells the governors', 'tonghui init /var/lib/tonghui \\-\\-code 130000 \\-\\-region /usr/share/tonghui/region/jingjinji\ntonghui region member \\-\\-node /var/lib/tonghui \\-\\-zh 河北省 \\-\\-en Hebei \\-\\-out hebei.json'],
      ['Suspend a member', 'tonghui region propose region.json \\-\\-suspend 133100 \\-\\-out next.json\ntonghui region diff region.json next.json\ntonghui region sign next.json \\-\\-node DIR        # at each governor\ntonghui region apply next.json \\-\\-node DIR       # at each node'],
      ['Check a receipt with nothing but the trust document', 'tonghui receipt verify receipt.json \\-\\-trust region.json'],
    ],
    also: 'docs/operate.md and docs/api.md of the source, or below /usr/share/doc/tonghui.',
  },
  zh: {
    title: 'TONGHUI',
    manual: '通惠手册',
    sections: ['名称', '概要', '说明', '通用选项', '命令', '退出码', '环境变量', '文件', '示例', '参见'],
    name: 'tonghui \\- 每个行政区一个小程序，合起来是一个区域',
    synopsis: '\\fBtonghui\\fR \\fI命令\\fR [\\fI参数\\fR] [\\fI选项\\fR]',
    description: `节点是一个行政区的一套安装：一个目录，内有配置、密钥与库。共同签署同一份信任文件的行政区合成一个区域：相互核验事实、转交办件，每一次查看都有据可证。
.PP
带 \\fB\\-\\-node\\fR 的命令作用于节点目录，节点运行时也可使用；\\fBask\\fR 与 \\fBcatalogue\\fR 与运行中的节点通信。结果写到标准输出，给人看的话写到标准错误。`,
    exit: [
      ['0', '完成。'],
      ['1', '失败，原因见提示。\\fBdoctor\\fR 至少发现一项问题。'],
      ['2', '用法错误：没有这个命令、选项或取值，或缺少参数。'],
      ['3', '被拒绝：无权、与当前状态冲突，或不存在。'],
      ['4', '暂不可用：繁忙、对方或节点没有应答、超时。'],
    ],
    environment: [
      ['TONGHUI_NODE', '未给 \\fB\\-\\-node\\fR 时的节点目录。'],
      ['TONGHUI_LANG, LANG', '提示语言：以 en 开头为英文，否则为中文。'],
      ['TONGHUI_KEY', '\\fBask\\fR 的接口密钥；比会被他人看见的 \\fB\\-\\-key\\fR 好。'],
      ['TONGHUI_PASSWORD', '\\fBuser add\\fR 与 \\fBuser password\\fR 的密码。'],
    ],
    files: [
      ['DIR/node.json', '节点的配置。'],
      ['DIR/keys/', '密钥，权限 0600：报文、日志、证照、治理密钥，TLS 身份，以及封存数据的密钥。不在备份之内。'],
      ['DIR/store.sqlite', '库（未改用 PostgreSQL 时）。'],
    ],
    examples: [
      ['建立节点，并向治理方说明自己', 'tonghui init /var/lib/tonghui \\-\\-code 130000 \\-\\-region /usr/share/tonghui/region/jingjinji\ntonghui region member \\-\\-node /var/lib/tonghui \\-\\-zh 河北省 \\-\\-en Hebei \\-\\-out hebei.json'],
      ['暂停一个成员', 'tonghui region propose region.json \\-\\-suspend 133100 \\-\\-out next.json\ntonghui region diff region.json next.json\ntonghui region sign next.json \\-\\-node DIR        # 各治理方\ntonghui region apply next.json \\-\\-node DIR       # 各节点'],
      ['只凭信任文件检验回执', 'tonghui receipt verify receipt.json \\-\\-trust region.json'],
    ],
    also: '源码中的 docs/operate.zh.md 与 docs/api.zh.md，或 /usr/share/doc/tonghui 之下。',
  },
}

function page(lang) {
  const w = words[lang]
  const pairs = (list) => list.map(([a, b]) => `.TP\n\\fB${roff(a)}\\fR\n${b}`).join('\n')
  const bodies = [
    w.name,
    w.synopsis,
    w.description,
    everywhere.map((o) => option(o, lang)).join('\n'),
    verbs.map((v) => `.TP\n${usage(v)}\n${roff(v[lang])}${v.options.length ? `\n${options(v.options, lang)}` : ''}`).join('\n'),
    pairs(w.exit),
    pairs(w.environment),
    pairs(w.files),
    w.examples.map(([title, text], i) => `${i ? '.PP\n' : ''}${roff(title)}:\n.PP\n.RS\n.nf\n${text}\n.fi\n.RE`).join('\n'),
    w.also,
  ]
  return `.\\" Made by tools/make-manual.mjs; edit that.\n.TH ${w.title} 1 "${DATE}" "Tonghui ${version}" "${w.manual}"\n${w.sections.map((s, i) => `.SH ${s.includes(' ') ? `"${s}"` : s}\n${bodies[i]}`).join('\n')}\n`
}

/* Values that can be completed: words between bars, files, directories. */
const valueOf = (o) => (o.value === null ? '' : o.value.includes('|') && /^[a-z0-9|.-]+$/.test(o.value) ? o.value.split('|').join(' ') : /DIR/.test(o.value) ? '@dir' : /FILE|json/i.test(o.value) ? '@file' : '@none')
const wordsOf = (v) => (/^[a-z]+[0-9]*\|/.test(v.words) ? v.words.split('|').filter((w) => /^[a-z0-9-]+$/.test(w)).join(' ') : v.words.includes('DIR') || v.words === 'TO' || v.words === 'FROM' ? '@dir' : /FILE|json/i.test(v.words) ? '@file' : '')

function completion() {
  const groups = {}
  for (const v of verbs) {
    const [one, two] = v.name.split(' ')
    groups[one] ??= []
    if (two) groups[one].push(two)
  }
  const rows = []
  for (const [one, list] of Object.entries(groups)) if (list.length) rows.push(`        "${one}") echo "${list.join(' ')}" ;;`)
  const flags = verbs.map((v) => `        "${v.name}") echo "${[...v.options, ...everywhere].map((o) => `--${o.name}`).join(' ')}" ;;`)
  const values = []
  for (const v of verbs) for (const o of v.options) if (o.value !== null) values.push(`        "${v.name} --${o.name}") echo "${valueOf(o)}" ;;`)
  for (const o of everywhere) if (o.value !== null) values.push(`        *" --${o.name}") echo "${valueOf(o)}" ;;`)
  const operands = verbs.filter((v) => wordsOf(v)).map((v) => `        "${v.name}") echo "${wordsOf(v)}" ;;`)
  return `# bash completion of tonghui. Made by tools/make-manual.mjs; edit that.

_tonghui_second() { # the second words of a group
    case "$1" in
${rows.join('\n')}
    esac
}

_tonghui_options() {
    case "$1" in
${flags.join('\n')}
        *) echo "${everywhere.map((o) => `--${o.name}`).join(' ')}" ;;
    esac
}

_tonghui_value() { # of "VERB --option"; nothing = a flag
    case "$1" in
${values.join('\n')}
    esac
}

_tonghui_words() { # operands of a verb
    case "$1" in
${operands.join('\n')}
    esac
}

_tonghui_offer() { # words, or a kind of file
    case "$1" in
        @dir) mapfile -t COMPREPLY < <(compgen -d -- "$2") ;;
        @file) mapfile -t COMPREPLY < <(compgen -f -- "$2") ;;
        @none) COMPREPLY=() ;;
        *) mapfile -t COMPREPLY < <(compgen -W "$1" -- "$2") ;;
    esac
}

_tonghui() {
    local current=\${COMP_WORDS[COMP_CWORD]} previous=\${COMP_WORDS[COMP_CWORD - 1]} verb='' word value skip='' i
    COMPREPLY=()
    for ((i = 1; i < COMP_CWORD; i++)); do
        word=\${COMP_WORDS[i]}
        if [[ -n $skip ]]; then
            skip=''
        elif [[ $word == --node || $word == --lang ]]; then
            skip=1
        elif [[ $word != -* && -z $verb ]]; then
            verb=$word
        elif [[ $word != -* && $verb != *' '* && " $(_tonghui_second "$verb") " == *" $word "* ]]; then
            verb="$verb $word"
        fi
    done
    value=$(_tonghui_value "$verb $previous")
    if [[ $previous == -* && -n $value ]]; then
        _tonghui_offer "$value" "$current"
    elif [[ $current == -* ]]; then
        _tonghui_offer "$(_tonghui_options "$verb")" "$current"
    elif [[ -z $verb ]]; then
        _tonghui_offer "${Object.keys(groups).join(' ')}" "$current"
    elif [[ $verb != *' '* && -n $(_tonghui_second "$verb") ]]; then
        _tonghui_offer "$(_tonghui_second "$verb")" "$current"
    else
        _tonghui_offer "$(_tonghui_words "$verb")" "$current"
    fi
}
complete -o filenames -F _tonghui tonghui
`
}

writeFileSync(join(to, 'tonghui.1'), page('en'))
writeFileSync(join(to, 'tonghui.zh_CN.1'), page('zh'))
writeFileSync(join(to, 'tonghui.bash-completion'), completion())
