export { cookieFor, type CookieForOptions } from './cookie-for.ts'
export { fakeClock, type FakeClock } from './fake-clock.ts'
export { type StoreCase, storeCases } from './store-cases.ts'
