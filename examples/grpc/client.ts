import * as grpc from '@grpc/grpc-js'
import { type User, USERS } from './contract.ts'

/**
 * A channel to a port of a sidecar, or of the edge.
 * @param host whom it is for: a sidecar's outbound listener chooses the upstream by it
 */
export function channelTo(port: number, host?: string): grpc.Client {
  return new grpc.Client(`127.0.0.1:${port}`, grpc.credentials.createInsecure(), {
    ...(host === undefined ? {} : { 'grpc.default_authority': host }),
    'grpc.enable_http_proxy': 0,
  })
}

/** Asks for one user. @throws grpc.ServiceError where the call does not end well */
export function getUser(channel: grpc.Client, id: string, options: grpc.CallOptions = {}): Promise<User> {
  const { path, requestSerialize, responseDeserialize } = USERS.Get
  return new Promise((resolve, reject) => {
    channel.makeUnaryRequest(
      path,
      requestSerialize,
      responseDeserialize,
      { id },
      new grpc.Metadata(),
      options,
      (error, user) =>
        error === null && user !== undefined ? resolve(user) : reject(error ?? new Error('no user')),
    )
  })
}
