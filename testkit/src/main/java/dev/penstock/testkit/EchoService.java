package dev.penstock.testkit;

import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.util.Set;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.Semaphore;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Consumer;

/// A TCP service on a free loopback port, for the far end of a tunnel. Every connection gets a
/// virtual thread that runs the service's [Behaviour] with plain blocking sockets: nothing of
/// Penstock is used, so a fault in Penstock cannot hide itself. Any thread may call.
public final class EchoService implements AutoCloseable {
  private static final int BUFFER = 64 * 1024;
  private static final int BACKLOG = 4_096;

  /// What the service does with one connection. When it returns the socket is closed; an
  /// [IOException] ends the connection and is otherwise ignored.
  @FunctionalInterface
  public interface Behaviour {
    /// Serves one connection; blocks its own thread.
    void serve(Socket socket) throws IOException;

    /// Sends back what it receives; at the end of input it closes its output.
    static Behaviour echo() {
      return socket -> {
        InputStream in = socket.getInputStream();
        OutputStream out = socket.getOutputStream();
        byte[] buffer = new byte[BUFFER];
        for (int n = in.read(buffer); n >= 0; n = in.read(buffer)) {
          out.write(buffer, 0, n);
        }
        socket.shutdownOutput();
      };
    }

    /// Reads to the end of input, then answers with the [Payload.Digest] of what it read.
    static Behaviour digest() {
      return socket ->
          Payload.Digest.toEnd(socket.getInputStream()).write(socket.getOutputStream());
    }

    /// Sends `payload` at once and closes its output, then waits for the end of input.
    static Behaviour send(Payload payload) {
      return sendThenReport(payload, _ -> {});
    }

    /// Sends `payload` at once and closes its output, then reads to the end of input and reports
    /// what it read.
    static Behaviour sendThenReport(Payload payload, Consumer<Payload.Digest> report) {
      return socket -> {
        payload.write(socket.getOutputStream());
        socket.shutdownOutput();
        report.accept(Payload.Digest.toEnd(socket.getInputStream()));
      };
    }

    /// Reads to the end of input, then sends `payload`.
    static Behaviour sendAfterEnd(Payload payload) {
      return socket -> {
        Payload.Digest.toEnd(socket.getInputStream());
        payload.write(socket.getOutputStream());
      };
    }

    /// Sends `payload` while it reads, and after the end of input the digest of what it read.
    static Behaviour exchange(Payload payload) {
      return socket -> {
        OutputStream out = socket.getOutputStream();
        var sender =
            Thread.ofVirtual()
                .start(() -> {
                  try {
                    payload.write(out);
                  } catch (IOException e) {
                    throw new UncheckedIOException(e);
                  }
                });
        Payload.Digest received = Payload.Digest.toEnd(socket.getInputStream());
        join(sender);
        received.write(out);
      };
    }

    /// Sends without end and reads nothing.
    static Behaviour flood() {
      return socket -> new Payload(1, Long.MAX_VALUE).write(socket.getOutputStream());
    }

    /// Neither reads nor writes until the service is closed.
    static Behaviour deaf() {
      return _ -> join(Thread.currentThread());
    }

    /// Echoes one byte, then resets the connection as soon as `permits` has one to take.
    static Behaviour resetOn(Semaphore permits) {
      return socket -> {
        echoOne(socket);
        permits.acquireUninterruptibly();
        socket.setSoLinger(true, 0);
      };
    }

    /// Echoes one byte, then reports when and how the connection ended.
    static Behaviour reportEnd(BlockingQueue<End> ends) {
      return socket -> {
        echoOne(socket);
        ends.add(End.of(socket.getInputStream()));
      };
    }

    /// Closes the connection at once.
    static Behaviour closeAtOnce() {
      return _ -> {};
    }

    private static void echoOne(Socket socket) throws IOException {
      int first = socket.getInputStream().read();
      if (first >= 0) {
        socket.getOutputStream().write(first);
      }
    }

    private static void join(Thread thread) {
      try {
        thread.join();
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
      }
    }
  }

  /// How a connection ended, as its reader saw it.
  ///
  /// @param how an orderly end of input, or a reset
  /// @param nanos when, by [System#nanoTime]
  public record End(How how, long nanos) {
    /// The two ways.
    public enum How {
      FINISHED,
      RESET
    }

    /// Reads until the connection ends; what arrives before is dropped.
    public static End of(InputStream in) {
      byte[] buffer = new byte[BUFFER];
      try {
        int n;
        do {
          n = in.read(buffer);
        } while (n >= 0);
        return new End(How.FINISHED, System.nanoTime());
      } catch (IOException reset) {
        return new End(How.RESET, System.nanoTime());
      }
    }
  }

  private final ServerSocket listener;
  private final Behaviour behaviour;
  private final Set<Thread> threads = ConcurrentHashMap.newKeySet();
  private final Set<Socket> sockets = ConcurrentHashMap.newKeySet();
  private final AtomicInteger accepted = new AtomicInteger();

  private EchoService(ServerSocket listener, Behaviour behaviour) {
    this.listener = listener;
    this.behaviour = behaviour;
  }

  /// Starts a service that listens from now on.
  public static EchoService start(Behaviour behaviour) {
    try {
      var service =
          new EchoService(
              new ServerSocket(0, BACKLOG, InetAddress.getLoopbackAddress()), behaviour);
      Thread.ofVirtual().start(service::accept);
      return service;
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /// Where it listens, as `host:port`.
  public String address() {
    return "127.0.0.1:" + listener.getLocalPort();
  }

  /// How many connections it has accepted.
  public int accepted() {
    return accepted.get();
  }

  /// How many connections are open.
  public int open() {
    return sockets.size();
  }

  /// Stops listening and closes all connections.
  @Override
  public void close() {
    quietly(listener);
    sockets.forEach(EchoService::quietly);
    threads.forEach(Thread::interrupt);
  }

  private void accept() {
    while (!listener.isClosed()) {
      try {
        Socket socket = listener.accept();
        accepted.incrementAndGet();
        sockets.add(socket);
        threads.add(Thread.ofVirtual().start(() -> serve(socket)));
      } catch (IOException closed) {
        // Out of descriptors or closed: the loop's condition tells which.
      }
    }
  }

  private void serve(Socket socket) {
    try (socket) {
      socket.setTcpNoDelay(true);
      behaviour.serve(socket);
    } catch (IOException | UncheckedIOException ended) {
      // The other end is gone; tests look at what it saw.
    } finally {
      sockets.remove(socket);
      threads.remove(Thread.currentThread());
    }
  }

  private static void quietly(AutoCloseable closeable) {
    try {
      closeable.close();
    } catch (Exception e) {
      // Nothing is left to release.
    }
  }
}
