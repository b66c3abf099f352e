package dev.penstock.protocol.net;

import com.typesafe.config.Config;
import com.typesafe.config.ConfigFactory;
import io.netty.channel.Channel;
import io.netty.channel.EventLoop;
import io.netty.channel.IoHandlerFactory;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.channel.epoll.Epoll;
import io.netty.channel.epoll.EpollDatagramChannel;
import io.netty.channel.epoll.EpollIoHandler;
import io.netty.channel.epoll.EpollServerSocketChannel;
import io.netty.channel.epoll.EpollSocketChannel;
import io.netty.channel.nio.NioIoHandler;
import io.netty.channel.socket.DatagramChannel;
import io.netty.channel.socket.ServerSocketChannel;
import io.netty.channel.socket.SocketChannel;
import io.netty.channel.socket.SocketProtocolFamily;
import io.netty.channel.socket.nio.NioDatagramChannel;
import io.netty.channel.socket.nio.NioServerSocketChannel;
import io.netty.channel.socket.nio.NioSocketChannel;
import io.netty.util.concurrent.DefaultThreadFactory;
import io.netty.util.concurrent.ThreadAwareExecutor;
import java.net.Inet4Address;
import java.net.InetAddress;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;

/// The event loops of one process. Native epoll where it loads, NIO elsewhere. They must be started
/// before the actor system, whose configuration includes [#dispatchers], and closed after it.
///
/// A socket, the graph that carries its bytes and the actor that owns the graph run on one loop, so
/// no byte crosses a thread on its way through the process.
public final class EventLoops implements AutoCloseable {
  /// Which kernel interface drives the sockets.
  public enum Transport {
    EPOLL,
    NIO
  }

  private static final int LARGEST_READ = 256 * 1024;

  /// Shared by the reads of all clients and services: what is in use should fit the caches.
  private static final int STREAM_READ_BYTES = 8 * 1024 * 1024;

  private static final Map<String, EventLoops> STARTED = new ConcurrentHashMap<>();

  private final String id = UUID.randomUUID().toString();
  private final Transport transport;
  private final MultiThreadIoEventLoopGroup group;
  private final List<Loop> loops;
  private final AtomicInteger next = new AtomicInteger();
  private final ReadSize streams = new ReadSize(LARGEST_READ, STREAM_READ_BYTES);
  private final ReadSize links = new ReadSize(LARGEST_READ, Integer.MAX_VALUE);

  private EventLoops(int count, Transport transport) {
    this.transport = transport;
    var interests = new ConcurrentHashMap<ThreadAwareExecutor, EpollInterest>();
    IoHandlerFactory io =
        transport == Transport.EPOLL
            ? EpollInterest.factory(EpollIoHandler.newFactory(), interests::put)
            : NioIoHandler.newFactory();
    this.group = new MultiThreadIoEventLoopGroup(count, new DefaultThreadFactory("loop", true), io);
    var started = new ArrayList<Loop>();
    for (int i = 0; i < count; i++) {
      var eventLoop = (EventLoop) group.next();
      started.add(
          new Loop(
              i, "penstock-loop-" + i, eventLoop, interests.get((ThreadAwareExecutor) eventLoop)));
    }
    this.loops = List.copyOf(started);
    STARTED.put(id, this);
  }

  /// Starts `count` loops on the best transport of this machine.
  public static EventLoops start(int count) {
    return start(count, Epoll.isAvailable() ? Transport.EPOLL : Transport.NIO);
  }

  /// Starts `count` loops on `transport`.
  public static EventLoops start(int count, Transport transport) {
    return new EventLoops(count, transport);
  }

  static EventLoop eventLoop(String id, int index) {
    var found = STARTED.get(id);
    if (found == null) {
      throw new IllegalStateException(
          "event loops " + id + " are not running (expected: started before the system)");
    }
    return found.loops.get(index).eventLoop();
  }

  /// Configuration that makes every loop a dispatcher of the actor system.
  public Config dispatchers() {
    var text = new StringBuilder();
    for (Loop loop : loops) {
      text.append(loop.dispatcher())
          .append(" { type = Dispatcher, executor = \"")
          .append(LoopExecutor.class.getName())
          .append("\", throughput = 64, shutdown-timeout = 0s, loops = \"")
          .append(id)
          .append("\", index = ")
          .append(loop.index())
          .append(" }\n");
    }
    return ConfigFactory.parseString(text.toString());
  }

  public Transport transport() {
    return transport;
  }

  public int size() {
    return loops.size();
  }

  public Loop get(int index) {
    return loops.get(index);
  }

  /// The loops in turn.
  public Loop next() {
    return loops.get(Math.floorMod(next.getAndIncrement(), loops.size()));
  }

  ReadSize readSize(SocketOptions kind) {
    return switch (kind) {
      case STREAM -> streams;
      case LINK -> links;
    };
  }

  SocketChannel newSocket() {
    return transport == Transport.EPOLL ? new EpollSocketChannel() : new NioSocketChannel();
  }

  ServerSocketChannel newServerSocket() {
    return transport == Transport.EPOLL
        ? new EpollServerSocketChannel()
        : new NioServerSocketChannel();
  }

  DatagramChannel newDatagramSocket(InetAddress address) {
    var family =
        address instanceof Inet4Address ? SocketProtocolFamily.INET : SocketProtocolFamily.INET6;
    return transport == Transport.EPOLL
        ? new EpollDatagramChannel(family)
        : new NioDatagramChannel(family);
  }

  Loop loopOf(Channel channel) {
    for (Loop loop : loops) {
      if (loop.eventLoop().equals(channel.eventLoop())) {
        return loop;
      }
    }
    throw new IllegalStateException("channel " + channel + " belongs to other event loops");
  }

  /// Ends all loops; open sockets are closed. Waits at most two seconds.
  @Override
  public void close() {
    STARTED.remove(id);

    group.shutdownGracefully(0, 1, TimeUnit.SECONDS).awaitUninterruptibly(2, TimeUnit.SECONDS);
  }
}
