using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Matrix.ClientApi.Pages;
using Matrix.Primitives;
using Matrix.Storage.OAuth;
using Matrix.Storage.Sso;
using Matrix.Web.Json;
using Matrix.Web.RateLimits;
using Matrix.Web.Routing;

namespace Matrix.ClientApi.OAuth;

/// <summary>What programs call: registration of clients, tokens, revocation, device authorization. Spec: client-server-api/#oauth-20-api</summary>
internal static class TokenEndpoints
{
    private const string Root = "/_synapse/client/oauth/";
    /// <summary>Seconds between two questions of a device. RFC 8628 3.2.</summary>
    private const int PollInterval = 5;
    private static readonly TimeSpan DeviceCodeLifetime = TimeSpan.FromMinutes(15);
    /// <summary>Without vowels there are no words, without look-alikes no mistakes. RFC 8628 6.1.</summary>
    private const string UserCodeLetters = "BCDFGHJKLMNPQRSTVWXZ";

    public static void MapTokens(this ClientRoutes routes)
    {
        routes.Map("POST", Root + "register", Register).Anonymous().Named("oauth_register_client").BodyLimit(64 * 1024).RateLimited(RateLimitRules.OAuthClients);
        routes.Map("POST", Root + "token", Token).Anonymous().Named("oauth_token");
        routes.Map("POST", Root + "revoke", Revoke).Anonymous().Named("oauth_revoke");
        routes.Map("POST", Root + "device_authorization", AuthorizeDevice).Anonymous().Named("oauth_device_authorization").RateLimited(RateLimitRules.OAuthDevices);
    }

    private static Task<IResult> Register(JsonBody body, OAuthClients clients, OAuthAddresses addresses, HttpResponse response, CancellationToken ct) =>
        OAuthAnswers.GuardAsync(response, async () =>
        {
            addresses.RequireEnabled();
            JsonElement wanted;
            try
            {
                wanted = body.AsObject();
            }
            catch (MatrixException e)
            {
                throw new OAuthException("invalid_client_metadata", e.Error.Message);
            }
            return MatrixResults.Raw(await clients.RegisterAsync(wanted, ct), 201);
        });

    private static Task<IResult> Token(
        FormBody form, OAuthClients clients, OAuthTokenIssuer issuer, PendingStepStore steps, DeviceCodeStore devices, OAuthAddresses addresses, TimeProvider clock,
        HttpResponse response, CancellationToken ct) => OAuthAnswers.GuardAsync(response, async () =>
        {
            addresses.RequireEnabled();
            if (form.HasRepeated) throw new OAuthException("invalid_request", "A parameter comes more than once.");
            var client = await clients.FindAsync(form["client_id"], ct) ?? throw new OAuthException("invalid_client", "This client is not registered.", 401);
            var grant = form["grant_type"] ?? throw new OAuthException("invalid_request", "grant_type is missing.");
            if (!OAuthClients.GrantTypes.Contains(grant)) throw new OAuthException("unsupported_grant_type", "This grant type is not supported.");
            // Whoever may begin a session may go on with it: refresh tokens are always given.
            if (grant != "refresh_token" && !client.GrantTypes.Contains(grant)) throw new OAuthException("unauthorized_client", "The client did not register for this grant type.");
            return grant switch
            {
                "authorization_code" => await ExchangeAsync(form, client, issuer, steps, ct),
                "refresh_token" => await issuer.RefreshAsync(Required(form, "refresh_token"), client.Id, ct),
                _ => await PollAsync(Required(form, "device_code"), client, issuer, devices, clock, ct),
            };
        });

    private static async Task<IResult> ExchangeAsync(FormBody form, OAuthClient client, OAuthTokenIssuer issuer, PendingStepStore steps, CancellationToken ct)
    {
        var code = Required(form, "code");
        var verifier = Required(form, "code_verifier");
        if (await steps.UseAsync("code", code, ct) is not { } data)
        {
            if (await steps.FindUsedAsync("code", code, ct) is { } spent && JsonSerializer.Deserialize(spent, OAuthJson.Default.CodeStep) is { } before)
                await issuer.EndAsync(new(before.UserId, before.DeviceId, before.ClientId, before.Scope), "an authorization code was used twice");
            throw new OAuthException("invalid_grant", "The code is unknown, expired or used.");
        }
        var step = JsonSerializer.Deserialize(data, OAuthJson.Default.CodeStep)!;
        var challenge = UnpaddedBase64.EncodeUrl(SHA256.HashData(Encoding.ASCII.GetBytes(verifier)));
        // A code that was shown with anything wrong is used up: there is no second guess.
        if (step.ClientId != client.Id || form["redirect_uri"] != step.RedirectUri || verifier.Length is < 43 or > 128 || !Browser.FixedTimeEquals(challenge, step.Challenge))
            throw new OAuthException("invalid_grant", "The code was not given to this client, for this redirect address and this verifier.");
        return await issuer.BeginAsync(new(step.UserId, step.DeviceId, step.ClientId, step.Scope), client, ct);
    }

    private static async Task<IResult> PollAsync(string deviceCode, OAuthClient client, OAuthTokenIssuer issuer, DeviceCodeStore devices, TimeProvider clock, CancellationToken ct)
    {
        if (await devices.PollAsync(deviceCode, ct) is not { } device || device.ClientId != client.Id) throw new OAuthException("invalid_grant", "The device code is unknown.");
        if (device.Denied) throw new OAuthException("access_denied", "The user did not agree.");
        if (device.Expired) throw new OAuthException("expired_token", "The device code has expired.");
        if (device.UserId is not { } user)
        {
            var tooSoon = clock.GetUtcNow().ToUnixTimeMilliseconds() - device.PolledTsMs < PollInterval * 1000;
            throw tooSoon ? new OAuthException("slow_down", "Ask less often.") : new OAuthException("authorization_pending", "The user has not agreed yet.");
        }
        if (!await devices.TakeAsync(deviceCode, ct)) throw new OAuthException("invalid_grant", "The device code was used.");
        var (scope, deviceId) = OAuthScope.Read(device.Scope)!.Value;
        return await issuer.BeginAsync(new(user, deviceId, client.Id, scope), client, ct);
    }

    private static Task<IResult> AuthorizeDevice(
        FormBody form, OAuthClients clients, DeviceCodeStore devices, OAuthAddresses addresses, HttpResponse response, CancellationToken ct) =>
        OAuthAnswers.GuardAsync(response, async () =>
        {
            addresses.RequireEnabled();
            if (form.HasRepeated) throw new OAuthException("invalid_request", "A parameter comes more than once.");
            var client = await clients.FindAsync(form["client_id"], ct) ?? throw new OAuthException("invalid_client", "This client is not registered.", 401);
            if (!client.GrantTypes.Contains(OAuthClients.DeviceGrant)) throw new OAuthException("unauthorized_client", "The client did not register for this grant type.");
            if (OAuthScope.Read(form["scope"]) is not { } wanted) throw new OAuthException("invalid_scope", "The scope must name the API and exactly one device.");
            var deviceCode = PendingStepStore.NewSecret();
            string userCode;
            do userCode = RandomNumberGenerator.GetString(UserCodeLetters, 8);
            while (!await devices.CreateAsync(deviceCode, userCode, client.Id, wanted.Scope, DeviceCodeLifetime, ct));
            var shown = $"{userCode[..4]}-{userCode[4..]}";
            return MatrixResults.Object(w =>
            {
                w.WriteString("device_code"u8, deviceCode);
                w.WriteString("user_code"u8, shown);
                w.WriteString("verification_uri"u8, addresses.Of("device"));
                w.WriteString("verification_uri_complete"u8, $"{addresses.Of("device")}?user_code={shown}");
                w.WriteNumber("expires_in"u8, (long)DeviceCodeLifetime.TotalSeconds);
                w.WriteNumber("interval"u8, PollInterval);
            });
        });

    /// <summary>Whoever holds a token may revoke it: RFC 7009 with MSC4254, client or no client.</summary>
    private static Task<IResult> Revoke(FormBody form, OAuthTokenIssuer issuer, OAuthAddresses addresses, HttpResponse response, CancellationToken ct) =>
        OAuthAnswers.GuardAsync(response, async () =>
        {
            addresses.RequireEnabled();
            if (form.HasRepeated) throw new OAuthException("invalid_request", "A parameter comes more than once.");
            await issuer.RevokeAsync(Required(form, "token"), ct);
            return MatrixResults.Empty;
        });

    private static string Required(FormBody form, string name) =>
        form[name] is { Length: > 0 and < 4096 } value ? value : throw new OAuthException("invalid_request", $"{name} is missing.");
}
