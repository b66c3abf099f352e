package dev.penstock.testkit;

import java.io.IOException;
import java.io.InputStream;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.Predicate;

/// A proxy in front of one port of one node, which lets nothing through from addresses that are cut
/// off: connections from there are accepted and nothing arrives, as when packets are dropped. When
/// the cut is healed they are closed, so that both ends connect anew.
final class CutLinks implements AutoCloseable {
  private static final int BUFFER = 64 * 1024;

  private final ServerSocket front;
  private final InetSocketAddress back;
  private final Predicate<InetAddress> isCut;
  private final Set<Socket> open = ConcurrentHashMap.newKeySet();
  private final Object changed = new Object();

  /// @param isCut asked for the other end's address, again after every [#cutsChanged]
  CutLinks(InetSocketAddress listen, InetSocketAddress back, Predicate<InetAddress> isCut)
      throws IOException {
    this.back = back;
    this.isCut = isCut;
    front = new ServerSocket();
    front.setReuseAddress(true);
    front.bind(listen);
    Thread.ofPlatform().daemon().name("cut-links").start(this::accept);
  }

  /// What `isCut` says may have changed.
  void cutsChanged() {
    synchronized (changed) {
      changed.notifyAll();
    }
  }

  private void accept() {
    while (!front.isClosed()) {
      try {
        Socket client = front.accept();
        open.add(client);
        Thread.ofVirtual().start(() -> carry(client));
      } catch (IOException ended) {
        return;
      }
    }
  }

  private void carry(Socket client) {
    try (client;
        var server = new Socket()) {
      open.add(server);
      if (!passes(client.getInetAddress())) {
        return;
      }
      // From the client's own address, so that the node sees what it would without the proxy.
      server.bind(new InetSocketAddress(client.getInetAddress(), 0));
      server.connect(back);
      Thread answers = Thread.ofVirtual().start(() -> pump(server, client, client));
      pump(client, server, client);
      answers.join();
      open.remove(server);
    } catch (IOException refused) {
      // The node is not there; its peer notices by the end of the connection.
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    } finally {
      open.remove(client);
    }
  }

  private void pump(Socket from, Socket to, Socket peer) {
    try (from;
        to) {
      InputStream in = from.getInputStream();
      byte[] buffer = new byte[BUFFER];
      for (int n = in.read(buffer); n >= 0; n = in.read(buffer)) {
        if (!passes(peer.getInetAddress())) {
          return;
        }
        to.getOutputStream().write(buffer, 0, n);
      }
    } catch (IOException ended) {
      // One end is gone, so the other goes.
    }
  }

  /// False when the address was cut off meanwhile: then it has waited for the healing.
  private boolean passes(InetAddress peer) {
    synchronized (changed) {
      boolean passes = true;
      while (isCut.test(peer) && !front.isClosed()) {
        passes = false;
        try {
          changed.wait();
        } catch (InterruptedException e) {
          Thread.currentThread().interrupt();
          return false;
        }
      }
      return passes;
    }
  }

  @Override
  public void close() throws IOException {
    front.close();
    cutsChanged();
    for (Socket socket : open) {
      socket.close();
    }
  }
}
