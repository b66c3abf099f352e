package dev.penstock.protocol.net;

import io.netty.channel.IoEvent;
import io.netty.channel.IoHandle;
import io.netty.channel.IoHandler;
import io.netty.channel.IoHandlerContext;
import io.netty.channel.IoHandlerFactory;
import io.netty.channel.IoOps;
import io.netty.channel.IoRegistration;
import io.netty.channel.epoll.EpollIoEvent;
import io.netty.channel.epoll.EpollIoHandle;
import io.netty.channel.epoll.EpollIoOps;
import io.netty.channel.unix.FileDescriptor;
import io.netty.util.collection.IntObjectHashMap;
import io.netty.util.concurrent.ThreadAwareExecutor;
import java.util.function.BiConsumer;
import java.util.function.BooleanSupplier;
import org.jspecify.annotations.Nullable;

/// Stands between Netty's channels and its epoll handler and decides when the kernel is told of a
/// change of interest, for two reasons.
///
/// Speed: with demand-driven reads a channel loses its interest in input after each read and has it
/// again before the loop waits the next time: two system calls for nothing. So the kernel learns
/// that input is not wanted only when it reports some nevertheless.
///
/// Speed again: input may be taken past Netty ([Socket#take]), which would put a copy in between.
///
/// Life: Netty 4.2.18 takes a socket out of the set when its interest becomes empty, which happens
/// to a half-closed connection that has nothing to write, and then cannot put it back: the next
/// write that would have to wait fails with ENOENT and the connection is lost. Asking for errors
/// alone, which the kernel reports anyway, keeps it in, and shows a reset at once.
final class EpollInterest implements IoHandler {
  private final IoHandler epoll;

  /// By file descriptor.
  private final IntObjectHashMap<Socket> sockets = new IntObjectHashMap<>();

  private EpollInterest(IoHandler epoll) {
    this.epoll = epoll;
  }

  /// @param created is told of the handler of every loop
  static IoHandlerFactory factory(
      IoHandlerFactory epoll, BiConsumer<ThreadAwareExecutor, EpollInterest> created) {
    return new IoHandlerFactory() {
      @Override
      public IoHandler newHandler(ThreadAwareExecutor executor) {
        var handler = new EpollInterest(epoll.newHandler(executor));
        created.accept(executor, handler);
        return handler;
      }

      @Override
      public boolean isChangingThreadSupported() {
        return epoll.isChangingThreadSupported();
      }
    };
  }

  @Override
  public IoRegistration register(IoHandle handle) throws Exception {
    if (!(handle instanceof EpollIoHandle socket)) {
      return epoll.register(handle);
    }
    var socketInterest = new Socket(socket);
    var registration = epoll.register(socketInterest);
    socketInterest.registration = registration;
    sockets.put(socket.fd().intValue(), socketInterest);
    return socketInterest;
  }

  /// The socket of a channel that is registered here. On the loop.
  Socket socket(FileDescriptor descriptor) {
    Socket socket = sockets.get(descriptor.intValue());
    if (socket == null) {
      throw new IllegalStateException(descriptor + " is not registered with this loop");
    }
    return socket;
  }

  /// One socket: to the epoll handler it is the channel, to the channel it is the registration.
  @SuppressWarnings("try") // the declared exceptions of close() are those of the interface
  final class Socket implements EpollIoHandle, IoRegistration {
    private final EpollIoHandle channel;
    private final int descriptor;
    private @Nullable IoRegistration registration;

    /// What the channel wants to hear of, and what the kernel was told last.
    private EpollIoOps wanted = EpollIoOps.EPOLLERR;

    private EpollIoOps told = EpollIoOps.NONE;

    /// Who takes the next input past the channel; null when nobody waits for any.
    private @Nullable BooleanSupplier taker;

    Socket(EpollIoHandle channel) {
      this.channel = channel;
      this.descriptor = channel.fd().intValue();
    }

    /// Calls `read` once when there is input, which it takes from the socket itself. When it finds
    /// none it gives false: then the channel looks why, and tells of the end or the failure.
    void take(BooleanSupplier read) {
      taker = read;
      if (!told.contains(EpollIoOps.EPOLLIN) && isValid()) {
        tell();
      }
    }

    @Override
    public long submit(IoOps ops) {
      wanted = EpollIoOps.NONE.equals(ops) ? EpollIoOps.EPOLLERR : (EpollIoOps) ops;
      boolean onlyInputTooMuch = told.equals(wanted.with(EpollIoOps.EPOLLIN));
      return onlyInputTooMuch ? wanted.value() : tell();
    }

    private long tell() {
      told = taker == null ? wanted : wanted.with(EpollIoOps.EPOLLIN);
      return registration().submit(told);
    }

    @Override
    public void handle(IoRegistration ignored, IoEvent event) {
      EpollIoOps ops = ((EpollIoEvent) event).ops();
      if (!ops.contains(EpollIoOps.EPOLLIN) || ops.contains(EpollIoOps.EPOLLERR)) {
        channel.handle(this, event);
        return;
      }
      BooleanSupplier read = taker;
      if (read != null) {
        taker = null;
        if (!read.getAsBoolean()) {
          channel.handle(this, event);
          return;
        }
      } else if (wanted.contains(EpollIoOps.EPOLLIN)) {
        channel.handle(this, event);
        return;
      } else {
        tell();
      }
      EpollIoOps rest = ops.without(EpollIoOps.EPOLLIN);
      if (!EpollIoOps.NONE.equals(rest) && isValid()) {
        channel.handle(this, new Event(rest));
      }
    }

    @Override
    public FileDescriptor fd() {
      return channel.fd();
    }

    @Override
    public void registered() {
      channel.registered();
    }

    @Override
    public void unregistered() {
      taker = null;
      if (sockets.get(descriptor) == this) {
        sockets.remove(descriptor);
      }
      channel.unregistered();
    }

    @Override
    public void close() throws Exception {
      channel.close();
    }

    @Override
    @SuppressWarnings("TypeParameterUnusedInFormals") // the shape of the interface
    public <T> T attachment() {
      return registration().attachment();
    }

    @Override
    public boolean isValid() {
      return registration().isValid();
    }

    @Override
    public boolean cancel() {
      return registration().cancel();
    }

    private IoRegistration registration() {
      if (registration == null) {
        throw new IllegalStateException("socket used before it was registered");
      }
      return registration;
    }
  }

  private record Event(EpollIoOps ops) implements EpollIoEvent {}

  @Override
  public void initialize() {
    epoll.initialize();
  }

  @Override
  public int run(IoHandlerContext context) {
    return epoll.run(context);
  }

  @Override
  public void prepareToDestroy() {
    epoll.prepareToDestroy();
  }

  @Override
  public void destroy() {
    epoll.destroy();
  }

  @Override
  public void wakeup() {
    epoll.wakeup();
  }

  @Override
  public boolean isCompatible(Class<? extends IoHandle> type) {
    return epoll.isCompatible(type);
  }
}
