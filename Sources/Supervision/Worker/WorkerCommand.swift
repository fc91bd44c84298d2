/// What a worker can be commanded to while the master runs.
package enum WorkerCommand: String, Codable, Sendable {
  case start
  case stop
  case restart
}
