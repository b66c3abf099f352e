package dev.penstock.protocol.net;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandle;

/// Receives into and sends from arrays of the heap: the kernel's copy is the only one. With direct
/// buffers in between, as Netty has them, every byte is copied once more on each side.
///
/// The calls never block, and hold up the garbage collector for as long as they copy, which is some
/// tens of microseconds at the sizes used here. They tell no errors: a caller that gets [#NOTHING]
/// asks Netty to do the same, which finds out why. Any thread.
final class ArrayIo {
  /// No byte was moved: the socket would have to wait, or has ended, or is broken.
  static final int NOTHING = 0;

  private static final int MSG_DONTWAIT = 0x40;
  private static final int MSG_NOSIGNAL = 0x4000;
  private static final int MSG_MORE = 0x8000;

  private static final FunctionDescriptor SHAPE =
      FunctionDescriptor.of(JAVA_LONG, JAVA_INT, ADDRESS, JAVA_LONG, JAVA_INT);
  private static final MethodHandle RECV = function("recv");
  private static final MethodHandle SEND = function("send");

  private ArrayIo() {}

  /// The values of the flags are Linux's, as epoll is.
  @SuppressWarnings("restricted") // native access, which the launcher allows for the sockets anyway
  private static MethodHandle function(String name) {
    Linker linker = Linker.nativeLinker();
    return linker.downcallHandle(
        linker.defaultLookup().findOrThrow(name), SHAPE, Linker.Option.critical(true));
  }

  /// Receives at most `length` bytes into `into[offset ..]`.
  ///
  /// @return how many came, or [#NOTHING]
  static int receive(int socket, byte[] into, int offset, int length) {
    return call(RECV, socket, into, offset, length, MSG_DONTWAIT);
  }

  /// Sends `from[offset .. offset + length)`, or its beginning.
  ///
  /// @return how many bytes went, or [#NOTHING]
  static int send(int socket, byte[] from, int offset, int length) {
    return call(SEND, socket, from, offset, length, MSG_DONTWAIT | MSG_NOSIGNAL);
  }

  /// As [#send], but the kernel may wait for the rest before it makes a segment of them.
  static int sendBeforeMore(int socket, byte[] from, int offset, int length) {
    return call(SEND, socket, from, offset, length, MSG_DONTWAIT | MSG_NOSIGNAL | MSG_MORE);
  }

  private static int call(
      MethodHandle function, int socket, byte[] array, int offset, int length, int flags) {
    var bytes = MemorySegment.ofArray(array).asSlice(offset, length);
    try {
      long moved = (long) function.invokeExact(socket, bytes, (long) length, flags);
      return (int) Math.max(NOTHING, moved);
    } catch (Throwable e) {
      // The declared type of a method handle; nothing is thrown by the function itself.
      throw new IllegalStateException(e);
    }
  }
}
