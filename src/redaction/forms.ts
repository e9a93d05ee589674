/** The forms of decisions and zones as they come from outside: a file, a request body, the configuration. Hostile. */
import { z } from 'zod';
import { maxDecisions, zoneProblem } from '../domain/mask-decisions.js';
import { maskModes } from '../domain/redaction-plan.js';

const frame = z.int().min(0).max(100_000_000);
const pixels = z.number().min(-100_000).max(100_000);
const box = z.strictObject({ x: pixels, y: pixels, w: pixels.positive(), h: pixels.positive() });

/** Whether they fit a recording is asked when that is at hand: `assertDecisions`. */
export const decisionsForm = z.strictObject({
  mode: z.enum(maskModes).optional(),
  keepVisible: z
    .array(z.strictObject({ trackId: z.int().min(0), fromFrame: frame.optional(), toFrame: frame.optional() }))
    .max(maxDecisions)
    .default([]),
  drawn: z
    .array(z.strictObject({ fromFrame: frame, toFrame: frame, box, toBox: box.optional() }))
    .max(maxDecisions)
    .default([]),
});

const share = z.number().min(0).max(1);

export const zonesForm = z
  .array(
    z
      .strictObject({
        name: z.string().trim().min(1).max(80),
        kind: z.literal('always-mask').default('always-mask'),
        x: share,
        y: share,
        w: share,
        h: share,
      })
      .superRefine((zone, ctx) => {
        const message = zoneProblem(zone);
        if (message !== null) ctx.addIssue({ code: 'custom', message });
      }),
  )
  .max(100);
