// The console in Chromium: the main task of every role, in both languages, on a phone, a desk and a wall. Pictures: build/browser.
import { begin } from './world.mjs'

begin()
await import('./every.mjs')
await import('./citizen.mjs')
await import('./staff.mjs')
await import('./operator.mjs')
await import('./public.mjs')
await import('./certificates.mjs')
