package dev.penstock.protocol.net;

import io.netty.channel.socket.SocketChannel;
import java.nio.ByteBuffer;
import java.time.Duration;

/// One WebSocket, either end, after its upgrade. Text messages are put together up to a limit;
/// bytes of binary messages are handed on as they come. Pings are answered, unless the peer does
/// not read the answers.
public final class WebSocketConnection extends Connection<WebSocketMessage> {
  private static final int READ_AHEAD = 64 * 1024;

  /// How long the peer may take to answer our close frame before the connection is closed under it.
  private static final Duration CLOSE_TIMEOUT = Duration.ofSeconds(1);

  private final WebSocketFrames frames;
  private final WebSocketParser parser;

  /// Bytes of the present read that are payload of binary messages.
  private int handedOn;

  private boolean closeSent;
  private boolean closeReceived;

  /// A WebSocket whose handshake is done.
  ///
  /// @param side which end this is
  WebSocketConnection(
      EventLoops loops,
      SocketChannel channel,
      WebSocketFrames.Side side,
      WebSocketSettings settings) {
    super(loops, channel, SocketOptions.LINK, READ_AHEAD);
    this.frames = new WebSocketFrames(side, channel.alloc());
    this.parser =
        new WebSocketParser(
            side == WebSocketFrames.Side.CLIENT
                ? WebSocketFrames.Side.SERVER
                : WebSocketFrames.Side.CLIENT,
            settings.maxText(),
            settings.maxFrame(),
            new Incoming());
  }

  @Override
  int sizeOf(WebSocketMessage message) {
    return switch (message) {
      case WebSocketMessage.Binary(var parts) -> parts[0].remaining();
      case WebSocketMessage.Text(var utf8) -> utf8.remaining();
      case WebSocketMessage.Base64Text(_, var data, _) -> data.remaining();
      case WebSocketMessage.Close _ -> 0;
    };
  }

  @Override
  Object encode(WebSocketMessage message) {
    return switch (message) {
      case WebSocketMessage.Binary(var parts) ->
          writesArrays()
              ? frames.binary(parts, descriptor(), loop().readMemory())
              : frames.binary(parts, loop().readMemory());
      case WebSocketMessage.Text(var utf8) -> frames.text(utf8);
      case WebSocketMessage.Base64Text(var before, var data, var after) ->
          frames.base64(before, data, after);
      case WebSocketMessage.Close(int code, String reason) -> {
        closeSent = true;
        yield frames.close(code, reason);
      }
    };
  }

  @Override
  void received(ByteBuffer bytes) {
    int size = bytes.remaining();
    handedOn = 0;
    try {
      if (failure() == null && !closeReceived) {
        parser.read(bytes);
      }
      loop().readMemory().giveBack(bytes, size - handedOn);
    } catch (WebSocketViolation e) {
      fail(e);
      if (!closeSent) {
        closeSent = true;
        channel().writeAndFlush(frames.close(e.code(), String.valueOf(e.getMessage())));
      }
      close();
    }
  }

  /// What arrives after our close frame is dropped, except the peer's.
  private final class Incoming implements WebSocketParser.Sink {
    @Override
    public void binary(ByteBuffer bytes) {
      if (!closeSent) {
        handedOn += bytes.remaining();
        enqueue(new WebSocketMessage.Binary(new ByteBuffer[] {bytes}));
      }
    }

    @Override
    public void text(ByteBuffer utf8) {
      if (!closeSent) {
        enqueue(new WebSocketMessage.Text(utf8));
      }
    }

    @Override
    public void ping(byte[] payload) {
      if (!closeSent && writable()) {
        channel().writeAndFlush(frames.pong(payload));
      }
    }

    @Override
    public void close(int code, String reason) {
      closeReceived = true;
      if (closeSent) {
        channel().close();
      } else {
        enqueue(new WebSocketMessage.Close(code, reason));
        endInput();
      }
    }
  }

  @Override
  void finish(Runnable done) {
    if (!closeSent) {
      write(new WebSocketMessage.Close(WebSocketMessage.Close.NORMAL, ""));
    }
    endInput();
    done.run();
  }

  /// Closes after the closing handshake: at once when the peer's close frame came, else when it
  /// comes or time is up. What arrives meanwhile is read and dropped: closing on unread bytes would
  /// reset the connection and lose our reason.
  @Override
  void close() {
    channel().flush();
    if (closeReceived) {
      channel().close();
    } else {
      channel().config().setAutoRead(true);
      loop().schedule(CLOSE_TIMEOUT, channel()::close);
    }
  }
}
