/**
 * The native addon (native-bindings/), typed: one file per binding in native/. Everything that must not pass through JavaScript -
 * raw frames - or cannot be done from it - unlinking relative to a directory handle - is here.
 */
export * from './native/addon.js';
export * from './native/files.js';
export * from './native/frame-pipe.js';
export * from './native/masks.js';
export * from './native/frame-line.js';
export * from './native/frame-check.js';
export * from './native/motion.js';
