// The request id: taken from the caller when it is well-formed, made otherwise, and said in every answer.

const WELL_FORMED = /^[A-Za-z0-9._-]{1,128}$/

/** Made once per isolate, so that a new id costs no more than counting. Random on first use only, since an
 * isolate may not make random numbers while it starts. */
let isolate: string | undefined
let count = 0

export function requestIdOf(request: Request): string {
  const given = request.headers.get('x-request-id')
  if (given !== null && WELL_FORMED.test(given)) return given
  isolate ??= crypto.randomUUID()
  count += 1
  return `${isolate}-${count.toString(36)}`
}
