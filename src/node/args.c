/* args.c — the words of a command line, read by the table of verbs: an unknown word or option is a complaint, never ignored. */
#include "node/cmd.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const th_opt *opt_in(const th_opt *list, size_t n, const char *name, size_t name_n)
{
    for (size_t i = 0; i < n && list[i].name; i++)
        if (strlen(list[i].name) == name_n && memcmp(list[i].name, name, name_n) == 0)
            return &list[i];
    return NULL;
}

static const th_opt *opt_of(const th_verb *verb, const char *name, size_t name_n)
{
    const th_opt *found = opt_in(th_global_options, th_global_option_count, name, name_n);
    return found || !verb ? found : opt_in(verb->options, TH_OPTIONS_MAX, name, name_n);
}

/* The verb whose name is the first word, or the first two. */
static const th_verb *verb_of(const char *one, const char *two)
{
    for (size_t i = 0; i < th_verb_count; i++) {
        const char *name = th_verbs[i].name, *space = strchr(name, ' ');
        size_t n = space ? (size_t)(space - name) : strlen(name);
        if (strlen(one) != n || memcmp(one, name, n) != 0)
            continue;
        if (!space || (two && strcmp(two, space + 1) == 0))
            return &th_verbs[i];
    }
    return NULL;
}

static bool is_group(const char *word)
{
    size_t n = strlen(word);
    for (size_t i = 0; i < th_verb_count; i++)
        if (strncmp(th_verbs[i].name, word, n) == 0 && th_verbs[i].name[n] == ' ')
            return true;
    return false;
}

static void global_take(th_args *args, const char *name, const char *value)
{
    if (strcmp(name, "json") == 0)
        args->json = true;
    else if (strcmp(name, "help") == 0)
        args->help = true;
    else if (strcmp(name, "node") == 0)
        args->node = value;
    else if (strcmp(name, "lang") == 0)
        args->english = strncmp(value, "en", 2) == 0;
}

/* The verb may stand behind global options: `tonghui --json region show x`. Gives the places of its words. */
static void verb_find(int argc, char **argv, int ret_at[2])
{
    int found = 0;
    ret_at[0] = ret_at[1] = -1;
    for (int i = 0; i < argc && found < 2; i++) {
        if (argv[i][0] != '-') {
            ret_at[found++] = i;
            continue;
        }
        const char *equals = strchr(argv[i], '=');
        const th_opt *o = strncmp(argv[i], "--", 2) == 0 ? opt_of(NULL, argv[i] + 2, equals ? (size_t)(equals - argv[i] - 2) : strlen(argv[i] + 2)) : NULL;
        if (o && o->value && !equals)
            i++;
        if (!o && strcmp(argv[i], "-h") != 0)
            return; /* an option of the verb: nothing behind it belongs to the verb's name */
    }
}

static int option_read(th_args *args, int argc, char **argv, int *i)
{
    const char *word = argv[*i], *equals = strchr(word, '=');
    const char *name = strcmp(word, "-h") == 0 ? "help" : word + 2;
    size_t n = equals ? (size_t)(equals - name) : strlen(name);
    const th_opt *o = strncmp(word, "--", 2) == 0 || strcmp(word, "-h") == 0 ? opt_of(args->verb, name, n) : NULL;
    if (!o)
        return th_cmd_usage(args, "没有选项 %s", "There is no option %s", word);
    const char *value = equals ? equals + 1 : NULL;
    if (o->value && !value) {
        if (*i + 1 >= argc)
            return th_cmd_usage(args, "选项 --%s 需要一个值 %s", "The option --%s needs a value %s", o->name, o->value);
        value = argv[++*i];
    } else if (!o->value && value) {
        return th_cmd_usage(args, "选项 --%s 没有值", "The option --%s takes no value", o->name);
    }
    global_take(args, o->name, value);
    if (args->given_count == TH_WORDS_MAX)
        return th_cmd_usage(args, "选项过多", "Too many options");
    args->given[args->given_count++] = (struct th_given){o->name, value};
    return 0;
}

static int needs_check(const th_args *args)
{
    const th_verb *v = args->verb;
    for (size_t i = 0; i < TH_OPTIONS_MAX && v->options[i].name; i++)
        if (v->options[i].must && !th_option(args, v->options[i].name))
            return th_cmd_usage(args, "缺少 --%s", "--%s is missing", v->options[i].name);
    if (args->word_count < v->least)
        return th_cmd_usage(args, "缺少参数 %s", "Missing: %s", v->words);
    if (args->word_count > v->most)
        return th_cmd_usage(args, "多余的参数 %s", "Too much: %s", args->words[v->most]);
    if (v->node && !args->node)
        return th_cmd_usage(args, "请指明节点：--node 目录（或环境变量 TONGHUI_NODE）", "Say which node: --node DIR (or TONGHUI_NODE)");
    return 0;
}

static int verb_read(int argc, char **argv, th_args *args, const int at[2])
{
    const char *one = at[0] < 0 ? NULL : argv[at[0]], *two = at[1] < 0 ? NULL : argv[at[1]];
    if (!one)
        return args->help || argc == 0 ? 0 : th_cmd_usage(args, "请给出命令；见 tonghui --help", "Say a verb; see tonghui --help");
    args->verb = verb_of(one, two);
    if (args->verb)
        return 0;
    if (is_group(one) && two)
        return th_cmd_usage(args, "没有命令 %s %s；见 tonghui help %s", "Unknown verb: %s %s; see tonghui help %s", one, two, one);
    if (!is_group(one))
        return th_cmd_usage(args, "没有命令 %s；见 tonghui --help", "Unknown verb: %s; see tonghui --help", one);
    if (args->help)
        return 0;
    (void)th_help(args, one);
    return 2;
}

int th_args_read(int argc, char **argv, th_args *args)
{
    int at[2], bad = 0;
    const char *language = getenv("TONGHUI_LANG") ? getenv("TONGHUI_LANG") : getenv("LANG");
    *args = (th_args){.node = getenv("TONGHUI_NODE"), .english = language && strncmp(language, "en", 2) == 0};
    for (int i = 0; i < argc; i++) { /* these decide how to complain of all others */
        args->json = args->json || strcmp(argv[i], "--json") == 0;
        args->help = args->help || strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0;
        if (strncmp(argv[i], "--lang=", 7) == 0)
            args->english = strncmp(argv[i] + 7, "en", 2) == 0;
        else if (strcmp(argv[i], "--lang") == 0 && i + 1 < argc)
            args->english = strncmp(argv[i + 1], "en", 2) == 0;
    }
    verb_find(argc, argv, at);
    bad = verb_read(argc, argv, args, at);
    if (bad)
        return bad;
    bool two = args->verb && strchr(args->verb->name, ' '), only_words = false;
    for (int i = 0; i < argc && !bad; i++) {
        if (i == at[0] || (two && i == at[1]))
            continue;
        if (!only_words && strcmp(argv[i], "--") == 0)
            only_words = true;
        else if (!only_words && argv[i][0] == '-' && argv[i][1])
            bad = option_read(args, argc, argv, &i);
        else if (args->word_count == TH_WORDS_MAX)
            bad = th_cmd_usage(args, "参数过多", "Too many words");
        else
            args->words[args->word_count++] = argv[i];
    }
    return bad || args->help || !args->verb ? bad : needs_check(args);
}

const char *th_option_at(const th_args *args, const char *name, int index)
{
    for (int i = 0; i < args->given_count; i++)
        if (strcmp(args->given[i].name, name) == 0 && index-- == 0)
            return args->given[i].value;
    return NULL;
}

const char *th_option(const th_args *args, const char *name)
{
    return th_option_at(args, name, 0);
}

bool th_flag(const th_args *args, const char *name)
{
    for (int i = 0; i < args->given_count; i++)
        if (strcmp(args->given[i].name, name) == 0)
            return true;
    return false;
}

const char *th_word(const th_args *args, int i)
{
    return i < args->word_count ? args->words[i] : NULL;
}

bool th_option_int(const th_args *args, const char *name, int64_t least, int64_t most, int64_t *ret)
{
    const char *text = th_option(args, name);
    if (!text || th_parse_i64(th_str_of(text), least, most, ret))
        return true;
    (void)th_cmd_usage(args, "--%s 须为 %lld 到 %lld 的整数", "--%s must be a whole number from %lld to %lld", name, (long long)least, (long long)most);
    return false;
}
