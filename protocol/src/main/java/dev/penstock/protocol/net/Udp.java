package dev.penstock.protocol.net;

import io.netty.channel.ChannelFuture;
import io.netty.channel.socket.DatagramChannel;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;

/// UDP on event loops.
public final class Udp {
  /// Asked of the kernel for a public port, which takes bursts of many clients; `net.core.rmem_max`
  /// bounds what it gives.
  private static final int PORT_BUFFER = 8 * 1024 * 1024;

  /// Asked of the kernel for one flow's socket.
  private static final int FLOW_BUFFER = 1024 * 1024;

  private Udp() {}

  /// Binds `address`; the receiver runs on `loop`, and nothing is received before the socket is
  /// known. Fails with the system's `java.net.BindException`.
  public static CompletionStage<UdpSocket> bind(
      EventLoops loops, Loop loop, InetSocketAddress address, UdpSocket.Receiver receiver) {
    var result = new CompletableFuture<UdpSocket>();
    DatagramChannel channel = loops.newDatagramSocket(address.getAddress());
    UdpSocket.prepare(channel, PORT_BUFFER);
    loop.eventLoop()
        .register(channel)
        .addListener(_ ->
            channel
                .bind(address)
                .addListener((ChannelFuture bound) -> {
                  if (bound.isSuccess()) {
                    opened(result, new UdpSocket(channel, receiver, null));
                  } else {
                    channel.close();
                    result.completeExceptionally(Tcp.bindFailure(address, bound.cause()));
                  }
                }));
    return result;
  }

  /// Connects a socket to the first address of `host`, so that it receives from there only; nothing
  /// is sent by that. Fails with [DialFailure].
  public static CompletionStage<UdpSocket> connect(
      EventLoops loops, Loop loop, String host, int port, UdpSocket.Receiver receiver) {
    return Tcp.addressesOf(host)
        .thenComposeAsync(
            addresses -> connect(loops, loop, addresses.getFirst(), port, receiver), loop::run);
  }

  private static CompletionStage<UdpSocket> connect(
      EventLoops loops, Loop loop, InetAddress host, int port, UdpSocket.Receiver receiver) {
    var result = new CompletableFuture<UdpSocket>();
    var target = new InetSocketAddress(host, port);
    DatagramChannel channel = loops.newDatagramSocket(host);
    UdpSocket.prepare(channel, FLOW_BUFFER);
    loop.eventLoop()
        .register(channel)
        .addListener(_ ->
            channel
                .connect(target)
                .addListener((ChannelFuture connected) -> {
                  if (connected.isSuccess()) {
                    opened(result, new UdpSocket(channel, receiver, target));
                  } else {
                    channel.close();
                    result.completeExceptionally(
                        new DialFailure(
                            DialFailure.Kind.UNREACHABLE,
                            target + ": " + connected.cause().getMessage()));
                  }
                }));
    return result;
  }

  private static void opened(CompletableFuture<UdpSocket> result, UdpSocket socket) {
    result.complete(socket);
    socket.startReading();
  }
}
