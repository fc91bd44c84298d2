internal import Supervision

/// Why a master did not do what it was asked, in words.
enum ControlFailure {
  static func text(of error: any Error, from client: ControlClient) -> String {
    guard let failure = error as? ControlClient.Failure else { return "\(error)" }
    switch failure {
    case .closed: return "the master at \(client.path) has ended or hung up"
    case .timedOut: return "the master at \(client.path) does not answer"
    case .refused(let error):
      switch error.name {
      case ControlInterface.name + ".NoSuchWorker":
        return "there is no worker \(error.parameters["worker"] ?? "")"
      case ControlInterface.name + ".Stopping":
        return "the master is being stopped: \(error.parameters["reason"] ?? "")"
      case "": return "the answer of \(client.path) makes no sense"
      default: return error.name
      }
    }
  }
}
