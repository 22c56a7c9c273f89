import path from 'node:path'
import type { MethodDefinition, ServiceDefinition } from '@grpc/grpc-js'
import { loadSync } from '@grpc/proto-loader'

/** The messages of users.proto, as the loader makes them. */
export interface UserId {
  readonly id: string
}
export interface User {
  readonly id: string
  readonly name: string
  readonly picture: Buffer
}
export interface Imported {
  readonly users: number
}

/** The methods of users.proto. */
export interface UsersMethods {
  readonly Get: MethodDefinition<UserId, User>
  readonly Watch: MethodDefinition<UserId, User>
  readonly Import: MethodDefinition<User, Imported>
  readonly Look: MethodDefinition<UserId, User>
}

const file = path.join(import.meta.dirname, 'users.proto')
const loaded = loadSync(file, { defaults: true, longs: String })

/** The service of users.proto. */
export const USERS = loaded['shop.Users'] as unknown as ServiceDefinition & UsersMethods // what the file says
