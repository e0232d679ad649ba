// router.ts: every page of the console, each loaded when it is opened. `roles` says who may; nobody signed in is led to /sign-in.
import { createRouter, createWebHistory, type RouteRecordRaw } from 'vue-router'
import { account, has, knowSession } from './lib/session'
import type { Pair } from './lib/texts'
import type { Role } from './lib/types'

declare module 'vue-router' {
  interface RouteMeta {
    title?: Pair
    roles?: Role[]
    signedIn?: boolean
  }
}

const person: Role[] = ['citizen']
const staff: Role[] = ['operator', 'auditor']
const desk: Role[] = ['clerk', 'head', 'auditor']
const counter: Role[] = ['clerk']
const watch: Role[] = ['operator', 'auditor', 'duty']
const everyDesk: Role[] = ['clerk', 'head', 'duty', 'accountant', 'operator', 'auditor']

const routes: RouteRecordRaw[] = [
  {
    path: '/',
    component: () => import('./pages/citizen/CitizenShell.vue'),
    children: [
      { path: '', component: () => import('./pages/citizen/HomePage.vue'), meta: { title: ['首页', 'Home'] } },
      { path: 'sign-in', component: () => import('./pages/citizen/SignInPage.vue'), meta: { title: ['登录', 'Sign in'] } },
      { path: 'items', component: () => import('./pages/citizen/ItemsPage.vue'), meta: { title: ['办事', 'Services'] } },
      { path: 'items/:code', component: () => import('./pages/citizen/ItemPage.vue'), meta: { title: ['办事指南', 'Before you start'] } },
      {
        path: 'apply/:code',
        component: () => import('./pages/citizen/ApplyPage.vue'),
        meta: { title: ['申请', 'Apply'], roles: person },
      },
      { path: 'cases', component: () => import('./pages/citizen/CasesPage.vue'), meta: { title: ['我的办件', 'My cases'], roles: person } },
      { path: 'cases/:id', component: () => import('./pages/citizen/CasePage.vue'), meta: { title: ['办件进度', 'Case'], signedIn: true } },
      {
        path: 'looks',
        component: () => import('./pages/citizen/LooksPage.vue'),
        meta: { title: ['谁看过我的信息', 'Who looked at my data'], roles: person },
      },
      { path: 'wallet', component: () => import('./pages/citizen/WalletPage.vue'), meta: { title: ['我的证照', 'My certificates'], roles: person } },
      { path: 'wallet/:id', component: () => import('./pages/citizen/CertificatePage.vue'), meta: { title: ['证照', 'Certificate'], roles: person } },
      { path: 'show', component: () => import('./pages/citizen/ShowPage.vue'), meta: { title: ['出示证照', 'Show a certificate'], roles: person } },
      { path: 'me', component: () => import('./pages/citizen/MePage.vue'), meta: { title: ['我的', 'Me'] } },
      { path: 'me/totp', component: () => import('./pages/citizen/TotpPage.vue'), meta: { title: ['动态口令', 'One-time codes'], signedIn: true } },
    ],
  },
  {
    path: '/desk',
    component: () => import('./pages/clerk/StaffShell.vue'),
    meta: { roles: desk },
    children: [
      { path: 'counter', component: () => import('./pages/clerk/CounterPage.vue'), meta: { title: ['窗口代办', 'Counter'], roles: counter } },
      { path: 'certificates/:id?', component: () => import('./pages/clerk/IssuedPage.vue'), meta: { title: ['证照', 'Certificates'], roles: counter } },
      { path: 'ask', component: () => import('./pages/clerk/AskPage.vue'), meta: { title: ['请求出示', 'Ask to see'], roles: counter } },
      { path: 'consults', component: () => import('./pages/clerk/ConsultsPage.vue'), meta: { title: ['征求意见', 'Asked of us'], roles: ['clerk', 'head'] } },
      { path: 'office', component: () => import('./pages/clerk/OfficePage.vue'), meta: { title: ['本机关', 'This office'], roles: ['head', 'auditor'] } },
      { path: ':id?', component: () => import('./pages/clerk/DeskPage.vue'), meta: { title: ['办件', 'Cases'], roles: desk } },
    ],
  },
  {
    path: '/operator',
    component: () => import('./pages/clerk/StaffShell.vue'),
    meta: { roles: everyDesk },
    children: [
      { path: '', component: () => import('./pages/operator/MembersPage.vue'), meta: { title: ['成员', 'Members'], roles: watch } },
      { path: 'trust', component: () => import('./pages/operator/TrustPage.vue'), meta: { title: ['信任文件', 'Trust document'], roles: watch } },
      { path: 'grants', component: () => import('./pages/operator/GrantsPage.vue'), meta: { title: ['授权', 'Grants'], roles: staff } },
      { path: 'links', component: () => import('./pages/operator/LinksPage.vue'), meta: { title: ['链路和告警', 'Links and alarms'], roles: watch } },
      { path: 'requests', component: () => import('./pages/operator/RequestsPage.vue'), meta: { title: ['数据申请', 'Data requests'], roles: everyDesk } },
      { path: 'journal', component: () => import('./pages/operator/JournalPage.vue'), meta: { title: ['存证日志', 'Journal'], roles: staff } },
      {
        path: 'registers',
        component: () => import('./pages/operator/RegistersPage.vue'),
        meta: { title: ['登记库', 'Registers'], roles: staff },
      },
      { path: 'accounts', component: () => import('./pages/operator/AccountsPage.vue'), meta: { title: ['账号和密钥', 'Accounts and keys'], roles: staff } },
    ],
  },
  {
    path: '/catalogue',
    component: () => import('./pages/public/PublicShell.vue'),
    children: [
      { path: '', component: () => import('./pages/public/CataloguePage.vue'), meta: { title: ['数据目录', 'Data catalogue'] } },
      { path: ':id', component: () => import('./pages/public/DatasetPage.vue'), meta: { title: ['数据资源', 'Dataset'] } },
    ],
  },
  {
    path: '/check',
    component: () => import('./pages/public/PublicShell.vue'),
    children: [{ path: '', component: () => import('./pages/public/CheckPage.vue'), meta: { title: ['核验证照', 'Check a certificate'] } }],
  },
  { path: '/wall', component: () => import('./pages/public/WallPage.vue'), meta: { title: ['区域大屏', 'Region wall'] } },
  { path: '/tour', component: () => import('./pages/public/TourPage.vue'), meta: { title: ['看一件事怎么办成', 'Follow one case'] } },
  {
    path: '/denied',
    component: () => import('./pages/citizen/CitizenShell.vue'),
    children: [{ path: '', component: () => import('./pages/citizen/DeniedPage.vue'), meta: { title: ['不开放', 'Not open to you'] } }],
  },
  {
    path: '/:rest(.*)*',
    component: () => import('./pages/citizen/CitizenShell.vue'),
    children: [{ path: '', component: () => import('./pages/citizen/LostPage.vue'), meta: { title: ['没有这一页', 'No such page'] } }],
  },
]

export const router = createRouter({
  history: createWebHistory(),
  routes,
  scrollBehavior: (to, from, saved) => saved ?? (to.path === from.path ? false : to.hash ? { el: to.hash } : { top: 0 }),
})

router.beforeEach(async (to) => {
  const { roles, signedIn } = to.meta
  if (!roles && !signedIn) return true
  await knowSession()
  if (!account.value) return { path: '/sign-in', query: { to: to.fullPath } }
  /* the first of these pages is not for everyone whose workplace they are */
  if (to.path === '/operator' && !has(...watch) && has(...everyDesk)) return '/operator/requests'
  if (roles && !has(...roles)) return { path: '/denied', query: { from: to.fullPath } }
  return true
})
