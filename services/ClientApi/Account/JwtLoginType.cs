using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Matrix.Primitives;
using Matrix.ServiceDefaults;
using Matrix.Web.Json;
using Microsoft.IdentityModel.JsonWebTokens;
using Microsoft.IdentityModel.Tokens;

namespace Matrix.ClientApi.Account;

/// <summary>JSON Web Tokens that somebody else has signed. Synapse: docs/jwt.md; the type is not part of the specification.</summary>
internal sealed class JwtLoginType(Registration registration, LoginGate gate, HomeserverConfig config, TimeProvider clock) : ILoginType
{
    public const string Name = "org.matrix.login.jwt";
    private static readonly TimeSpan Leeway = TimeSpan.FromMinutes(2);
    private readonly JwtConfig? jwt = config.Accounts.Jwt;
    private readonly JsonWebTokenHandler handler = new() { MaximumTokenSizeInBytes = 64 * 1024 };
    private readonly TokenValidationParameters? rules = config.Accounts.Jwt is { } c ? Rules(c, clock) : null;

    public bool Serves(string type) => jwt is not null && type is Name or "m.login.jwt";

    public void WriteFlows(Utf8JsonWriter w)
    {
        if (jwt is null) return;
        w.WriteStartObject();
        w.WriteString("type"u8, Name);
        w.WriteEndObject();
    }

    public async Task<LoginProof> ProveAsync(JsonElement submission, LoginClient client, CancellationToken ct)
    {
        var token = submission.StringOrNull("token") ?? throw MatrixError.Forbidden("Token field for JWT is missing").AsException();
        var result = await handler.ValidateTokenAsync(token, rules!);
        // The cause stays here: it would tell a stranger how far his forgery has come.
        if (!result.IsValid || result.SecurityToken is not JsonWebToken proved) throw MatrixError.Forbidden("JWT validation failed").AsException();
        var subject = Claim(proved, jwt!.SubjectClaim) ?? throw MatrixError.Forbidden("Invalid JWT: the subject is missing").AsException();
        var user = Usernames.Validate(subject, config);
        if (await registration.IsTakenAsync(user, ct)) await gate.RequireOpenAsync(user, ct);
        else
        {
            var name = jwt.DisplayNameClaim is { } claim ? Claim(proved, claim) : null;
            await registration.RegisterAsync(new RegistrationOrder(user, null) { DisplayName = name }, ct);
        }
        return new LoginProof(user);
    }

    private static string? Claim(JsonWebToken token, string name) => token.TryGetPayloadValue<string>(name, out var value) && value.Length > 0 ? value : null;

    private static TokenValidationParameters Rules(JwtConfig jwt, TimeProvider clock) => new()
    {
        ValidAlgorithms = [jwt.Algorithm],
        RequireSignedTokens = true,
        IssuerSigningKey = Key(jwt),
        TryAllIssuerSigningKeys = true,
        ValidateIssuer = jwt.Issuer is not null,
        ValidIssuer = jwt.Issuer,
        // Synapse: an audience that nobody here is, is wrong; and none is wrong where one is asked for.
        AudienceValidator = (audiences, _, _) => jwt.Audiences.Count == 0 ? !audiences.Any() : audiences.Any(jwt.Audiences.Contains),
        RequireExpirationTime = false,
        LifetimeValidator = (notBefore, expires, token, _) => IsNow(notBefore, expires, token, clock.GetUtcNow()),
    };

    private static bool IsNow(DateTime? notBefore, DateTime? expires, SecurityToken token, DateTimeOffset now)
    {
        if (token is JsonWebToken jwt && jwt.TryGetPayloadValue<long>("iat", out var issued) && issued > (now + Leeway).ToUnixTimeSeconds()) return false;
        return (notBefore is not { } from || from <= (now + Leeway).UtcDateTime) && (expires is not { } until || until >= (now - Leeway).UtcDateTime);
    }

    private static SecurityKey Key(JwtConfig jwt)
    {
        if (jwt.Algorithm[0] == 'H')
        {
            // HMAC pads short keys with zeros to a block; the library wants them long, so they are padded here, which changes nothing.
            var secret = Encoding.UTF8.GetBytes(jwt.Secret);
            Array.Resize(ref secret, Math.Max(secret.Length, jwt.Algorithm == "HS256" ? 64 : 128));
            return new SymmetricSecurityKey(secret);
        }
        if (jwt.Algorithm[0] == 'E')
        {
            var curve = ECDsa.Create();
            curve.ImportFromPem(jwt.Secret);
            return new ECDsaSecurityKey(curve);
        }
        var rsa = RSA.Create();
        rsa.ImportFromPem(jwt.Secret);
        return new RsaSecurityKey(rsa);
    }
}
