// The shape of a problem document (RFC 9457), as every refusal of the API is: what a client may count on. The
// Worker writes them (worker/answers.ts).
import { z } from 'zod'

export const ProblemDocument = z
  .looseObject({
    type: z.string().describe('"urn:postern:problem:" and the reason.'),
    title: z.string().describe('What the reason says, the same each time.'),
    status: z.int(),
    detail: z.string().describe('What exactly failed, and with which value.'),
    reason: z.string().describe('Out of a closed list; what programs compare.'),
    requestId: z.string().describe('To name when asking for help; it stands in the logs as well.'),
    errors: z
      .array(z.looseObject({ path: z.string(), message: z.string() }))
      .optional()
      .describe('Of a request that is not as its schema says: every member that is wrong.'),
    toConfirm: z
      .array(z.string())
      .optional()
      .describe('What "confirm" has to say for the request to go through.'),
  })
  .meta({ id: 'Problem', description: 'Why a request was refused (RFC 9457).' })
export type ProblemDocument = z.infer<typeof ProblemDocument>
