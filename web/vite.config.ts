// The console is built once and served by every node as plain files. No inline script or style may come out of it (strict CSP).
import { fileURLToPath } from 'node:url'
import vue from '@vitejs/plugin-vue'
import { defineConfig, type Plugin } from 'vite'

const root = fileURLToPath(new URL('.', import.meta.url))

export default defineConfig(async ({ command, mode }) => {
  const plugins: Plugin[] = [vue() as Plugin]
  // Development without a node: TONGHUI_FAKE=1 npm run dev. Never part of a build.
  if (command === 'serve' && mode !== 'test' && process.env.TONGHUI_FAKE) {
    const path = `${root}dev/fake.mjs`
    const fake = (await import(path)) as { fakeNode: () => Plugin }
    plugins.push(fake.fakeNode())
  }
  const node = process.env.TONGHUI_NODE ?? 'http://127.0.0.1:8110'
  const services = ['people', 'operations', 'exchange', 'records', 'government', 'cases']
  return {
    plugins,
    resolve: { alias: { '@': `${root}src` } },
    define: { __VUE_OPTIONS_API__: 'false', __VUE_PROD_DEVTOOLS__: 'false' },
    build: {
      target: 'es2022',
      modulePreload: { polyfill: false },
      assetsInlineLimit: 0,
      cssCodeSplit: true,
      reportCompressedSize: false,
      sourcemap: false,
    },
    server: {
      host: '127.0.0.1',
      port: 5180,
      proxy: process.env.TONGHUI_FAKE
        ? {}
        : Object.fromEntries(services.map((name) => [`/${name}/`, { target: node, changeOrigin: true }])),
    },
  }
})
