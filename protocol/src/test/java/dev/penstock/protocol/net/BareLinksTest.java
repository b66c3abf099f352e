package dev.penstock.protocol.net;

import static dev.penstock.protocol.net.TestNode.await;
import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.penstock.protocol.net.BareLinks.Greeted;
import dev.penstock.protocol.net.EventLoops.Transport;
import dev.penstock.protocol.net.Tls.Pem;
import dev.penstock.protocol.net.Tls.Side;
import dev.penstock.protocol.net.Tls.Trust;
import dev.penstock.protocol.net.WebSocketMessage.Binary;
import io.netty.pkitesting.CertificateBuilder;
import io.netty.pkitesting.X509Bundle;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.apache.pekko.stream.javadsl.Flow;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/// Bare connections of this process, with a preface that says one word each way.
final class BareLinksTest {
  private static final Duration TIMEOUT = Duration.ofSeconds(10);
  private static TestNode node;
  private static X509Bundle authority;

  @TempDir Path files;
  private final CompletableFuture<BareConnection> accepted = new CompletableFuture<>();
  private final BlockingQueue<PrefaceFailed> refused = new LinkedBlockingQueue<>();
  private Tcp.@Nullable Listener listener;

  @BeforeAll
  static void start() throws Exception {
    node = TestNode.start(Transport.NIO);
    authority = newAuthority();
  }

  @AfterAll
  static void stop() {
    node.close();
  }

  @AfterEach
  void close() {
    if (listener != null) {
      await(listener.close());
    }
  }

  private static X509Bundle newAuthority() throws Exception {
    return new CertificateBuilder()
        .subject("CN=nodes")
        .setIsCertificateAuthority(true)
        .ecp256()
        .buildSelfSigned();
  }

  /// One end that takes `word` for the other end's, and says it itself.
  private record Word(String word, boolean first) implements Preface<String> {
    @Override
    public List<byte[]> begin() {
      return first ? List.of(word.getBytes(UTF_8)) : List.of();
    }

    @Override
    public Step<String> received(byte[] body) {
      var said = new String(body, UTF_8);
      if (!said.equals(word)) {
        return new Step.Refuse<>(new byte[0], said);
      }
      return new Step.Done<>(first ? new byte[0] : word.getBytes(UTF_8), said);
    }
  }

  private void listen(@Nullable Tls tls, String word) {
    listener =
        await(
            BareLinks.listen(
                node.loops(),
                TestNode.anyPort(),
                tls,
                TIMEOUT,
                10,
                new BareLinks.Acceptor<String>() {
                  @Override
                  public Preface<String> preface(InetSocketAddress peer) {
                    return new Word(word, false);
                  }

                  @Override
                  public void accepted(BareConnection connection, String result) {
                    accepted.complete(connection);
                  }

                  @Override
                  public void refused(InetSocketAddress peer, PrefaceFailed why) {
                    refused.add(why);
                  }
                }));
  }

  private CompletionStage<Greeted<String>> connect(@Nullable Tls tls, String word) {
    return BareLinks.connect(
        node.loops(),
        node.loop(),
        "127.0.0.1",
        listener.address().getPort(),
        tls,
        new Word(word, true),
        TIMEOUT);
  }

  private Tls tls(Side side, X509Bundle by, @Nullable X509Bundle trusted, Trust trust)
      throws Exception {
    X509Bundle own =
        new CertificateBuilder()
            .subject("CN=some-node")
            .addSanDnsName("some-node")
            .ecp256()
            .buildIssuedBy(by);
    return Tls.load(
        side,
        new Pem(
            write(side + ".crt", own.getCertificatePathPEM()),
            write(side + ".key", own.getPrivateKeyPEM()),
            trusted == null ? null : write(side + ".ca", trusted.getRootCertificatePEM()),
            trust));
  }

  private Path write(String name, String text) throws IOException {
    return Files.writeString(files.resolve(name), text);
  }

  private void assertTalks(BareConnection ours, BareConnection theirs) {
    theirs
        .flow()
        .join(Flow.<WebSocketMessage>create())
        .withAttributes(theirs.loop().attributes())
        .run(node.actors());
    var client = Hands.on(ours.flow(), ours.loop(), node.actors());
    var parts = new ByteBuffer[] {ByteBuffer.allocate(100_000), ByteBuffer.allocate(7)};
    for (int i = 0; i < 20; i++) {
      client.put(new Binary(new ByteBuffer[] {parts[0].duplicate(), parts[1].duplicate()}));
      for (int left = 100_007; left > 0; ) {
        left -= ((Binary) client.take()).parts()[0].remaining();
      }
    }
    client.finish();
    assertThat(client.take()).isNull();
  }

  @Test
  void whoKnowsTheWordIsLetInAndCanBeMovedToAnotherLoop() {
    listen(null, "word");
    var ours = await(connect(null, "word")).connection();
    var theirs = await(accepted);
    await(theirs.register(node.loops().get(1)));
    assertTalks(ours, theirs);
  }

  @Test
  void whoDoesNotKnowTheWordIsRefused() throws Exception {
    listen(null, "word");
    assertThatThrownBy(() -> await(connect(null, "guess"))).isInstanceOf(PrefaceFailed.class);
    assertThat(refused.poll(10, TimeUnit.SECONDS).kind()).isEqualTo(PrefaceFailed.Kind.REFUSED);
  }

  @ParameterizedTest
  @EnumSource(
      value = Trust.class,
      names = {"AUTHORITY", "ANYTHING"})
  void withTlsBothEndsShowACertificateOfTheAuthorityForWhateverName(Trust trust) throws Exception {
    listen(tls(Side.SERVER, authority, authority, Trust.VERIFIED), "word");
    var ours = await(connect(tls(Side.CLIENT, authority, authority, trust), "word")).connection();
    var theirs = await(accepted);
    await(theirs.register(node.loops().get(1)));
    assertTalks(ours, theirs);
  }

  @Test
  void aNameThatIsCheckedMustFit() throws Exception {
    listen(tls(Side.SERVER, authority, authority, Trust.VERIFIED), "word");
    var verifying = tls(Side.CLIENT, authority, authority, Trust.VERIFIED);
    assertThatThrownBy(() -> await(connect(verifying, "word"))).hasMessageContaining("127.0.0.1");
  }

  @Test
  void aClientOfAnotherAuthorityIsNotLetInAndNorIsTheServerOfOne() throws Exception {
    var theirs = newAuthority();
    listen(tls(Side.SERVER, authority, authority, Trust.VERIFIED), "word");
    var stranger = tls(Side.CLIENT, theirs, authority, Trust.AUTHORITY);
    assertThatThrownBy(() -> await(connect(stranger, "word"))).isNotNull();
    assertThat(refused.poll(10, TimeUnit.SECONDS).kind()).isEqualTo(PrefaceFailed.Kind.LOST);
    var suspicious = tls(Side.CLIENT, authority, theirs, Trust.AUTHORITY);
    assertThatThrownBy(() -> await(connect(suspicious, "word"))).isNotNull();
    assertThat(accepted).isNotDone();
  }

  @Test
  void whoSpeaksWithoutTlsIsRefusedWhereItIsWanted() throws Exception {
    listen(tls(Side.SERVER, authority, authority, Trust.VERIFIED), "word");
    assertThatThrownBy(() -> await(connect(null, "word"))).isNotNull();
    assertThat(refused.poll(10, TimeUnit.SECONDS).kind()).isEqualTo(PrefaceFailed.Kind.LOST);
  }
}
