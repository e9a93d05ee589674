/**
 * onnxruntime 1.30 and later sends usage data to its maker, and keeps a device id below ~/.cache, unless this is set before
 * its library is loaded. Nothing of a surveillance system may go anywhere unasked, so it is set here, whatever stood there.
 * Import it before onnxruntime-node. The environment of the process is set by its main thread alone, where this module is
 * loaded with the pool, before there is any worker.
 */
process.env['ORT_DISABLE_TELEMETRY'] = '1';
