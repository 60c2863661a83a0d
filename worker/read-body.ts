// The body of a request or an answer, read up to a bound.

/** Null when there is more. Stops reading there, whatever the length that was declared. */
export async function readBytes(
  { headers, body }: Pick<Request, 'headers' | 'body'>,
  bytesMax: number,
): Promise<Uint8Array | null> {
  if (Number(headers.get('content-length') ?? 0) > bytesMax) {
    await body?.cancel()
    return null
  }
  const chunks: Uint8Array[] = []
  let length = 0
  const reader = body?.getReader()
  for (;;) {
    const { done, value } = (await reader?.read()) ?? { done: true, value: undefined }
    if (done) break
    length += value.byteLength
    if (length > bytesMax) {
      await reader?.cancel()
      return null
    }
    chunks.push(value)
  }
  const bytes = new Uint8Array(length)
  let position = 0
  for (const chunk of chunks) {
    bytes.set(chunk, position)
    position += chunk.byteLength
  }
  return bytes
}

/** As UTF-8; what is none is replaced. */
export async function readText(
  from: Pick<Request, 'headers' | 'body'>,
  bytesMax: number,
): Promise<string | null> {
  const bytes = await readBytes(from, bytesMax)
  return bytes && new TextDecoder().decode(bytes)
}
