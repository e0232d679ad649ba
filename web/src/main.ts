import { createApp } from 'vue'
import App from './App.vue'
import { care, setCare } from './lib/prefs'
import { knowNode } from './lib/session'
import { lang, setLang } from './lib/texts'
import { router } from './router'
import './styles/base.css'

setLang(lang.value)
setCare(care.value)
void knowNode()
createApp(App).use(router).mount('#app')
