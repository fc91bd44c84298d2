internal import FoundationEssentials

/// What every call has beside its parameters.
package struct VarlinkCall: Codable, Sendable, Equatable {
  package var method: String
  /// The caller takes several replies.
  package var more: Bool?
  /// The caller wants no reply at all.
  package var oneway: Bool?
  package var upgrade: Bool?

  package init(method: String, more: Bool? = nil, oneway: Bool? = nil) {
    self.method = method
    self.more = more
    self.oneway = oneway
  }
}

/// An error as it goes over the wire: a name, and one word about it.
package struct VarlinkError: Error, Sendable, Equatable {
  package var name: String
  package var parameters: [String: String]

  package init(_ name: String, _ parameters: [String: String] = [:]) {
    self.name = name
    self.parameters = parameters
  }

  static func interfaceNotFound(_ name: String) -> VarlinkError {
    VarlinkError("org.varlink.service.InterfaceNotFound", ["interface": name])
  }
  static func methodNotFound(_ name: String) -> VarlinkError {
    VarlinkError("org.varlink.service.MethodNotFound", ["method": name])
  }
  static func invalidParameter(_ name: String) -> VarlinkError {
    VarlinkError("org.varlink.service.InvalidParameter", ["parameter": name])
  }
  static let permissionDenied = VarlinkError("org.varlink.service.PermissionDenied")
  static let expectedMore = VarlinkError("org.varlink.service.ExpectedMore")
  static func noSuchWorker(_ name: String) -> VarlinkError {
    VarlinkError(ControlInterface.name + ".NoSuchWorker", ["worker": name])
  }
  static func stopping(_ reason: String) -> VarlinkError {
    VarlinkError(ControlInterface.name + ".Stopping", ["reason": reason])
  }
}

/// Messages to bytes and back.
package enum VarlinkMessage {
  /// Longer calls are not listened to.
  package static let longestCall = 64 * 1024

  private struct Parameters<Value: Codable>: Codable {
    var parameters: Value?
  }

  private struct Call<Value: Encodable>: Encodable {
    var method: String
    var more: Bool?
    var oneway: Bool?
    var parameters: Value
  }

  private struct Reply<Value: Encodable>: Encodable {
    var parameters: Value
    var continues: Bool?
  }

  private struct Failure: Codable {
    var error: String?
    var parameters: [String: String]?
    var continues: Bool?
  }

  private static func bytes(of value: some Encodable) -> [UInt8] {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    guard let data = try? encoder.encode(value) else { return [] }
    return Array(data) + [0]
  }

  package static func call(_ call: VarlinkCall, _ parameters: some Encodable) -> [UInt8] {
    self.bytes(
      of: Call(method: call.method, more: call.more, oneway: call.oneway, parameters: parameters))
  }

  package static func reply(_ parameters: some Encodable, continues: Bool = false) -> [UInt8] {
    self.bytes(of: Reply(parameters: parameters, continues: continues ? true : nil))
  }

  package static func error(_ error: VarlinkError) -> [UInt8] {
    self.bytes(of: Failure(error: error.name, parameters: error.parameters, continues: nil))
  }

  /// Nil if it is no call.
  package static func call(in message: [UInt8]) -> VarlinkCall? {
    try? JSONDecoder().decode(VarlinkCall.self, from: Data(message))
  }

  /// Nil if the message has no parameters of that form. Absent ones are as good as empty ones.
  package static func parameters<Value: Codable>(of message: [UInt8], as type: Value.Type) -> Value? {
    guard let whole = try? JSONDecoder().decode(Parameters<Value>.self, from: Data(message)) else {
      return nil
    }
    return whole.parameters ?? (try? JSONDecoder().decode(Value.self, from: Data("{}".utf8)))
  }

  /// What a reply holds: its parameters, and whether more follow.
  ///
  /// - Throws: `VarlinkError`: the reply's, or one without a name if it cannot be read.
  package static func reply<Value: Codable>(
    in message: [UInt8], as type: Value.Type
  ) throws(VarlinkError) -> (value: Value, continues: Bool) {
    let failure = try? JSONDecoder().decode(Failure.self, from: Data(message))
    if let failure, let name = failure.error { throw VarlinkError(name, failure.parameters ?? [:]) }
    let head = try? JSONDecoder().decode(Continuation.self, from: Data(message))
    guard let value = self.parameters(of: message, as: type) else { throw VarlinkError("") }
    return (value, head?.continues ?? false)
  }

  private struct Continuation: Codable { var continues: Bool? }
}
