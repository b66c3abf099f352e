package dev.penstock.protocol.net;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.CompositeByteBuf;
import io.netty.channel.socket.SocketChannel;
import io.netty.handler.codec.http.websocketx.BinaryWebSocketFrame;
import io.netty.handler.codec.http.websocketx.CloseWebSocketFrame;
import io.netty.handler.codec.http.websocketx.ContinuationWebSocketFrame;
import io.netty.handler.codec.http.websocketx.CorruptedWebSocketFrameException;
import io.netty.handler.codec.http.websocketx.PingWebSocketFrame;
import io.netty.handler.codec.http.websocketx.PongWebSocketFrame;
import io.netty.handler.codec.http.websocketx.TextWebSocketFrame;
import io.netty.handler.codec.http.websocketx.WebSocketFrame;
import io.netty.util.ReferenceCountUtil;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import org.jspecify.annotations.Nullable;

/// One WebSocket, either end, after its upgrade. Text messages are put together up to a limit;
/// binary frames are handed on as they come. Pings are answered, unless the peer does not read the
/// answers.
public final class WebSocketConnection extends Connection<WebSocketMessage> {
  private static final int READ_AHEAD = 64 * 1024;

  /// How long the peer may take to answer our close frame before the connection is closed under it.
  private static final Duration CLOSE_TIMEOUT = Duration.ofSeconds(1);

  private final int maxText;
  private @Nullable CompositeByteBuf text;
  private boolean closeSent;
  private boolean closeReceived;

  WebSocketConnection(EventLoops loops, SocketChannel channel, int maxText) {
    super(loops, channel, SocketOptions.LINK, READ_AHEAD);
    this.maxText = maxText;
  }

  @Override
  int sizeOf(WebSocketMessage message) {
    return switch (message) {
      case WebSocketMessage.Binary(var parts) -> parts[0].remaining();
      case WebSocketMessage.Text(var characters) -> characters.length();
      case WebSocketMessage.Close _ -> 0;
    };
  }

  @Override
  Object encode(WebSocketMessage message) {
    return switch (message) {
      case WebSocketMessage.Binary(var parts) ->
          new BinaryWebSocketFrame(Buffers.toDirect(channel().alloc(), parts));
      case WebSocketMessage.Text(var characters) -> new TextWebSocketFrame(characters);
      case WebSocketMessage.Close(int code, String reason) -> {
        closeSent = true;
        yield new CloseWebSocketFrame(code, fitting(reason));
      }
    };
  }

  @Override
  void received(Object message) {
    if (message instanceof ByteBuf && !closeSent && failure() == null) {
      ReferenceCountUtil.release(message);
      violated(WebSocketMessage.Close.PROTOCOL_ERROR, "bytes before the upgrade was answered");
      return;
    }
    if (!(message instanceof WebSocketFrame frame) || closeSent || failure() != null) {
      if (message instanceof CloseWebSocketFrame) {
        closeReceived = true;
        channel().close();
      }
      ReferenceCountUtil.release(message);
      return;
    }
    switch (frame) {
      case BinaryWebSocketFrame binary -> enqueueBytes(binary.content());
      case TextWebSocketFrame first -> collect(first);
      case ContinuationWebSocketFrame more -> {
        if (text == null) {
          enqueueBytes(more.content());
        } else {
          collect(more);
        }
      }
      case PingWebSocketFrame ping -> {
        if (writable()) {
          channel().writeAndFlush(new PongWebSocketFrame(ping.content()));
        } else {
          ping.release();
        }
      }
      case CloseWebSocketFrame close -> {
        closeReceived = true;
        int code = close.statusCode() < 0 ? 1005 : close.statusCode();
        enqueue(new WebSocketMessage.Close(code, String.valueOf(close.reasonText())));
        close.release();
        endInput();
      }
      default -> frame.release(); // pongs: their arrival has been noticed
    }
  }

  private void enqueueBytes(ByteBuf content) {
    if (content.isReadable()) {
      enqueue(new WebSocketMessage.Binary(new ByteBuffer[] {Buffers.toHeap(content)}));
    } else {
      content.release();
    }
  }

  private void collect(WebSocketFrame frame) {
    CompositeByteBuf all = text == null ? channel().alloc().compositeBuffer(1024) : text;
    text = all;
    all.addComponent(true, frame.content());
    if (all.readableBytes() > maxText) {
      violated(
          WebSocketMessage.Close.TOO_BIG,
          "text message of more than " + maxText + " bytes (expected: at most " + maxText + ")");
    } else if (frame.isFinalFragment()) {
      byte[] bytes = new byte[all.readableBytes()];
      all.readBytes(bytes);
      dropText();
      try {
        enqueue(
            new WebSocketMessage.Text(
                StandardCharsets.UTF_8.newDecoder().decode(ByteBuffer.wrap(bytes)).toString()));
      } catch (CharacterCodingException e) {
        violated(WebSocketMessage.Close.INVALID_PAYLOAD, "text message that is not UTF-8");
      }
    }
  }

  private void dropText() {
    if (text != null) {
      text.release();
      text = null;
    }
  }

  private void violated(int code, String what) {
    dropText();
    fail(new WebSocketViolation(code, what));
    if (!closeSent) {
      closeSent = true;
      channel().writeAndFlush(new CloseWebSocketFrame(code, fitting(what)));
    }
    close();
  }

  @Override
  RuntimeException explain(Throwable cause) {
    if (cause instanceof CorruptedWebSocketFrameException corrupted) {
      int code = corrupted.closeStatus().code();
      if (!closeSent) {
        closeSent = true;
        channel()
            .writeAndFlush(
                new CloseWebSocketFrame(code, fitting(String.valueOf(corrupted.getMessage()))));
      }
      close();
      return new WebSocketViolation(code, String.valueOf(corrupted.getMessage()));
    }
    dropText();
    return super.explain(cause);
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
    dropText();
    channel().flush();
    if (closeReceived) {
      channel().close();
    } else {
      channel().config().setAutoRead(true);
      loop().schedule(CLOSE_TIMEOUT, channel()::close);
    }
  }

  @Override
  void gone() {
    dropText();
  }

  /// A close frame has room for 123 bytes of reason.
  private static String fitting(String reason) {
    byte[] bytes = reason.getBytes(StandardCharsets.UTF_8);
    if (bytes.length <= 123) {
      return reason;
    }
    int end = 120;
    while ((bytes[end] & 0xC0) == 0x80) {
      end--;
    }
    return new String(bytes, 0, end, StandardCharsets.UTF_8) + "...";
  }
}
