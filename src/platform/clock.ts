/** Where "now" comes from. An argument everywhere, so that tests can move it and nothing else reads the wall clock. */
export interface Clock {
  /** Wall clock, UTC microseconds. */
  nowUs(): number;
  /** Milliseconds that never go backwards, for durations. */
  monotonicMs(): number;
}

export const systemClock: Clock = {
  // Not performance.timeOrigin: that is fixed at start and would hide a clock that was set meanwhile.
  nowUs: () => Date.now() * 1000,
  monotonicMs: () => performance.now(),
};
