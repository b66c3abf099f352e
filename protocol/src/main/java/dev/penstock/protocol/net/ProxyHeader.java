package dev.penstock.protocol.net;

import static java.nio.charset.StandardCharsets.US_ASCII;

import dev.penstock.protocol.control.CallerAddress;
import io.netty.buffer.ByteBuf;
import io.netty.channel.embedded.EmbeddedChannel;
import io.netty.handler.codec.haproxy.HAProxyCommand;
import io.netty.handler.codec.haproxy.HAProxyMessage;
import io.netty.handler.codec.haproxy.HAProxyMessageEncoder;
import io.netty.handler.codec.haproxy.HAProxyProtocolVersion;
import io.netty.handler.codec.haproxy.HAProxyProxiedProtocol;
import io.netty.util.NetUtil;
import java.net.Inet4Address;
import java.net.InetAddress;
import java.nio.ByteBuffer;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/// The header of the PROXY protocol (haproxy, `doc/proxy-protocol.txt`) that a service is sent in
/// front of a client's bytes, so that it learns who calls. The headers are on the heap, at most 108
/// bytes, and ready to be read.
public enum ProxyHeader {
  /// No header.
  NONE,
  /// A line of text; connections only.
  V1,
  /// The binary form.
  V2;

  private static final String UNKNOWN_V1 = "PROXY UNKNOWN\r\n";

  /// What goes in front of a connection's bytes; empty for [#NONE].
  ///
  /// @param caller null when it is not known: the header then says just that (`UNKNOWN`, or the
  ///   command LOCAL)
  public Optional<ByteBuffer> ofConnection(@Nullable CallerAddress caller) {
    return switch (this) {
      case NONE -> Optional.empty();
      case V1 ->
          Optional.of(
              caller == null
                  ? ByteBuffer.wrap(UNKNOWN_V1.getBytes(US_ASCII))
                  : encode(
                      message(
                          HAProxyProtocolVersion.V1,
                          caller,
                          HAProxyProxiedProtocol.TCP4,
                          HAProxyProxiedProtocol.TCP6)));
      case V2 ->
          Optional.of(
              caller == null
                  ? encode(local())
                  : encode(
                      message(
                          HAProxyProtocolVersion.V2,
                          caller,
                          HAProxyProxiedProtocol.TCP4,
                          HAProxyProxiedProtocol.TCP6)));
    };
  }

  /// What goes in front of a datagram, in version 2: the first version knows no datagrams. The
  /// specification leaves open whether every datagram of a flow has it or the first alone; with
  /// each its own, a lost or overtaken one does no harm.
  ///
  /// @param caller null when it is not known
  public static ByteBuffer ofDatagram(@Nullable CallerAddress caller) {
    return encode(
        caller == null
            ? local()
            : message(
                HAProxyProtocolVersion.V2,
                caller,
                HAProxyProxiedProtocol.UDP4,
                HAProxyProxiedProtocol.UDP6));
  }

  private static HAProxyMessage local() {
    return new HAProxyMessage(
        HAProxyProtocolVersion.V2,
        HAProxyCommand.LOCAL,
        HAProxyProxiedProtocol.UNKNOWN,
        null,
        null,
        0,
        0);
  }

  /// Both addresses have one family: an IPv4 address beside an IPv6 one is sent as a mapped one.
  private static HAProxyMessage message(
      HAProxyProtocolVersion version,
      CallerAddress caller,
      HAProxyProxiedProtocol four,
      HAProxyProxiedProtocol six) {
    InetAddress client = caller.client().getAddress();
    InetAddress listener = caller.listener().getAddress();
    boolean bothFour = client instanceof Inet4Address && listener instanceof Inet4Address;
    return new HAProxyMessage(
        version,
        HAProxyCommand.PROXY,
        bothFour ? four : six,
        bothFour ? client.getHostAddress() : six(client),
        bothFour ? listener.getHostAddress() : six(listener),
        caller.client().getPort(),
        caller.listener().getPort());
  }

  /// Without dots, which the first version does not know, and without a zone.
  private static String six(InetAddress address) {
    if (address instanceof Inet4Address) {
      ByteBuffer bytes = ByteBuffer.wrap(address.getAddress());
      return "0:0:0:0:0:ffff:%x:%x".formatted(bytes.getShort() & 0xffff, bytes.getShort() & 0xffff);
    }
    return NetUtil.toAddressString(address).replaceFirst("%.*", "");
  }

  private static ByteBuffer encode(HAProxyMessage message) {
    var channel = new EmbeddedChannel(HAProxyMessageEncoder.INSTANCE);
    try {
      channel.writeOutbound(message);
      ByteBuf bytes = channel.readOutbound();
      return Buffers.toHeap(bytes);
    } finally {
      channel.finishAndReleaseAll();
    }
  }
}
