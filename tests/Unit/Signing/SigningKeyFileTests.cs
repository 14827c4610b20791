using Matrix.Crypto;
using Matrix.Events;
using Matrix.Primitives;

namespace Matrix.Unit.Signing;

public class SigningKeyFileTests
{
    private const string Seed = "YJDBA9Xnr2sVqXD9Vj7XVUnmFZcZrlw8Md7kMW+3XA1";

    [Fact]
    public void A_file_of_synapse_is_read_and_its_first_key_signs()
    {
        var path = Path.GetTempFileName();
        try
        {
            File.WriteAllText(path, $"ed25519 a_AbCd {Seed}\n\ned25519 old {UnpaddedBase64.Encode(new byte[32])}\n");
            var key = SigningKeyFile.Read(path);
            Assert.Equal("ed25519:a_AbCd", key.KeyId);
            Assert.Equal("XGX0JRS2Af3be3knz2fBiRbApjm2Dh61gXDJA8kcJNI", UnpaddedBase64.Encode(key.PublicKey));
            Assert.Equal(["ed25519:a_AbCd", "ed25519:old"], SigningKeyFile.ReadAll(path).Select(k => k.KeyId));
        }
        finally
        {
            File.Delete(path);
        }
    }

    [Fact]
    public void A_generated_file_reads_back_and_is_new_each_time()
    {
        var text = SigningKeyFile.Generate();
        var key = Assert.Single(SigningKeyFile.Parse(text));
        Assert.Matches("^ed25519:a_[A-Za-z]{4}$", key.KeyId);
        Assert.NotEqual(text, SigningKeyFile.Generate());
        Assert.EndsWith("\n", text, StringComparison.Ordinal);
        var signature = Ed25519.Default.Sign(key.Seed, "x"u8);
        Assert.True(Ed25519.Default.Verify(key.PublicKey, "x"u8, signature));
    }

    [Theory]
    [InlineData("", "holds no key")]
    [InlineData("\n \n", "holds no key")]
    [InlineData("ed25519 a_x", "line 1")]
    [InlineData("\nrsa a_x " + Seed, "line 2 has the algorithm 'rsa'")]
    [InlineData("ed25519 a:x " + Seed, "key version 'a:x'")]
    [InlineData("ed25519 a_x short", "32 bytes")]
    [InlineData("ed25519 a_x !!!", "32 bytes")]
    public void A_broken_file_says_where_and_what(string text, string fault)
    {
        var e = Assert.Throws<FormatException>(() => SigningKeyFile.Parse(text, "key.txt"));
        Assert.StartsWith("key.txt: ", e.Message, StringComparison.Ordinal);
        Assert.Contains(fault, e.Message, StringComparison.Ordinal);
    }
}

public class Ed25519Tests
{
    [Fact]
    public void Libcrypto_is_the_default_where_it_is() => Assert.IsType<LibcryptoEd25519>(Ed25519.Default);

    public static TheoryData<IEd25519> Implementations => [new LibcryptoEd25519(), new BouncyCastleEd25519()];

    [Theory, MemberData(nameof(Implementations))]
    public void Wrong_sizes_do_not_verify_and_do_not_sign(IEd25519 ed25519)
    {
        var seed = new byte[32];
        var signature = ed25519.Sign(seed, "m"u8);
        var key = ed25519.PublicKey(seed);
        Assert.True(ed25519.Verify(key, "m"u8, signature));
        Assert.False(ed25519.Verify(key.AsSpan(1), "m"u8, signature));
        Assert.False(ed25519.Verify(key, "m"u8, signature.AsSpan(1)));
        Assert.False(ed25519.Verify([], "m"u8, []));
        Assert.False(ed25519.Verify(key, "n"u8, signature));
        Assert.Throws<ArgumentException>(() => ed25519.Sign(new byte[31], "m"u8));
        Assert.Throws<ArgumentException>(() => ed25519.PublicKey([]));
    }

    [Theory, MemberData(nameof(Implementations))]
    public void Points_of_no_key_do_not_verify(IEd25519 ed25519)
    {
        foreach (var fill in new byte[] { 0x00, 0x01, 0x7F, 0xEC, 0xFF })
        {
            var key = new byte[32];
            Array.Fill(key, fill);
            Assert.False(ed25519.Verify(key, "m"u8, new byte[64].Select(_ => (byte)0x11).ToArray()));
        }
    }

    [Fact]
    public void Both_implementations_agree()
    {
        IEd25519 a = new LibcryptoEd25519(), b = new BouncyCastleEd25519();
        var random = new Random(7);
        for (var i = 0; i < 50; i++)
        {
            var seed = new byte[32];
            var message = new byte[random.Next(300)];
            random.NextBytes(seed);
            random.NextBytes(message);
            Assert.Equal(a.PublicKey(seed), b.PublicKey(seed));
            Assert.Equal(a.Sign(seed, message), b.Sign(seed, message));
        }
    }

    [Fact]
    public async Task One_instance_serves_many_threads_and_more_keys_than_it_keeps()
    {
        var ed25519 = new LibcryptoEd25519();
        await Parallel.ForAsync(0, 8, (part, _) =>
        {
            var seed = new byte[32];
            for (var i = 0; i < 40; i++)
            {
                (seed[0], seed[1]) = ((byte)part, (byte)i);
                var signature = ed25519.Sign(seed, seed);
                Assert.True(ed25519.Verify(ed25519.PublicKey(seed), seed, signature));
            }
            return ValueTask.CompletedTask;
        });
    }
}
