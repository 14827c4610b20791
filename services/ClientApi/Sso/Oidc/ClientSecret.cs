using System.Buffers;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Matrix.Primitives;
using Matrix.ServiceDefaults;

namespace Matrix.ClientApi.Sso.Oidc;

/// <summary>The secret of the client: as configured, or a token that it signs (<c>client_secret_jwt_key</c>, as Apple wants it).</summary>
internal sealed class ClientSecret(OidcConfig config, TimeProvider clock)
{
    private static readonly TimeSpan Lifetime = TimeSpan.FromHours(1);

    public string Make(string issuer)
    {
        if (config.SecretKey is not { } key) return config.ClientSecret ?? "";
        var now = clock.GetUtcNow().ToUnixTimeSeconds();
        var header = Json(w => { foreach (var (name, value) in key.Header) w.WriteString(name, value); });
        var payload = Json(w =>
        {
            w.WriteNumber("iat"u8, now);
            w.WriteNumber("exp"u8, now + (long)Lifetime.TotalSeconds);
            w.WriteString("aud"u8, issuer);
            w.WriteString("sub"u8, config.ClientId);
            foreach (var (name, value) in key.Payload) if (name is not ("iat" or "exp" or "aud" or "sub")) w.WriteString(name, value);
        });
        var text = $"{UnpaddedBase64.EncodeUrl(header)}.{UnpaddedBase64.EncodeUrl(payload)}";
        return $"{text}.{UnpaddedBase64.EncodeUrl(Sign(key, Encoding.ASCII.GetBytes(text)))}";
    }

    private static byte[] Sign(ClientSecretKey key, byte[] text)
    {
        var algorithm = key.Header["alg"];
        var hash = algorithm[2..] switch { "256" => HashAlgorithmName.SHA256, "384" => HashAlgorithmName.SHA384, _ => HashAlgorithmName.SHA512 };
        if (algorithm.StartsWith("ES", StringComparison.Ordinal))
        {
            using var ec = ECDsa.Create();
            ec.ImportFromPem(key.Key);
            return ec.SignData(text, hash);
        }
        using var rsa = RSA.Create();
        rsa.ImportFromPem(key.Key);
        return rsa.SignData(text, hash, RSASignaturePadding.Pkcs1);
    }

    private static byte[] Json(Action<Utf8JsonWriter> members)
    {
        var buffer = new ArrayBufferWriter<byte>();
        using (var writer = new Utf8JsonWriter(buffer))
        {
            writer.WriteStartObject();
            members(writer);
            writer.WriteEndObject();
        }
        return buffer.WrittenSpan.ToArray();
    }
}
