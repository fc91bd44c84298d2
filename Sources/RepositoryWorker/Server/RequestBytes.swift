internal import NIOCore

/// Bytes have come, of which a request may or may not have been made yet.
struct RequestBytesArrived: Sendable {}

/// Says of all that comes that it does, before it is looked at.
final class RequestBytesHandler: ChannelInboundHandler {
  typealias InboundIn = ByteBuffer

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    context.fireUserInboundEventTriggered(RequestBytesArrived())
    context.fireChannelRead(data)
  }
}

extension SocketAddress {
  /// Whether it is in 127.0.0.0/8 or is ::1, also as IPv6 has the former.
  var isLoopback: Bool {
    guard let text = self.ipAddress else { return true }
    return text == "::1" || text.hasPrefix("127.") || text.lowercased().hasPrefix("::ffff:127.")
  }
}
