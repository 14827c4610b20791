using Matrix.Web.RateLimits;
using System.Security.Cryptography;
using System.Text.Json;
using Matrix.Primitives;
using Matrix.ServiceDefaults;
using Matrix.Storage.Accounts;
using Matrix.Web.Auth;
using Matrix.Web.Json;
using Matrix.Web.Routing;

namespace Matrix.ClientApi.RegistrationTokens;

/// <summary>Tokens that let people register. Spec: client-server-api/#token-authenticated-registration; Synapse: admin_api/registration_tokens</summary>
internal static class RegistrationTokenEndpoints
{
    private const string Admin = "/_synapse/admin/v1/registration_tokens";
    private const int MaxLength = 64;
    private const string Letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._~-";

    public static void MapRegistrationTokens(this ClientRoutes routes)
    {
        routes.Get(ClientVersions.V1, "/register/m.login.registration_token/validity", GetValidity).Anonymous().Named("get_registration_token_validity")
            .RateLimited(RateLimitRules.RegistrationTokenValidity);
        routes.Map("GET", Admin, List).Named("admin_list_registration_tokens");
        routes.Map("POST", Admin + "/new", Create).Named("admin_create_registration_token");
        routes.Map("GET", Admin + "/{token}", Get).Named("admin_get_registration_token");
        routes.Map("PUT", Admin + "/{token}", Update).Named("admin_update_registration_token");
        routes.Map("DELETE", Admin + "/{token}", Delete).Named("admin_delete_registration_token");
    }

    private static async Task<IResult> GetValidity(
        string? token, RegistrationTokenStore tokens, HomeserverConfig config, TimeProvider clock, CancellationToken ct)
    {
        if (!config.EnableRegistration) throw MatrixError.Forbidden("Registration has been disabled").AsException();
        if (token is null) throw MatrixError.MissingParam("Missing 'token' parameter").AsException();
        var valid = await tokens.IsValidAsync(token, clock.GetUtcNow().ToUnixTimeMilliseconds(), ct);
        return MatrixResults.Object(w => w.WriteBoolean("valid"u8, valid));
    }

    private static async Task<IResult> List(string? valid, Requester requester, RegistrationTokenStore tokens, TimeProvider clock, CancellationToken ct)
    {
        requester.RequireAdmin();
        bool? wanted = valid switch
        {
            null => null,
            "true" => true,
            "false" => false,
            _ => throw MatrixError.InvalidParam("'valid' must be true or false").AsException(),
        };
        var list = await tokens.ListAsync(wanted, clock.GetUtcNow().ToUnixTimeMilliseconds(), ct);
        return MatrixResults.Object(w =>
        {
            w.WriteStartArray("registration_tokens"u8);
            foreach (var token in list)
            {
                w.WriteStartObject();
                Write(w, token);
                w.WriteEndObject();
            }
            w.WriteEndArray();
        });
    }

    private static async Task<IResult> Get(string token, Requester requester, RegistrationTokenStore tokens, CancellationToken ct)
    {
        requester.RequireAdmin();
        return Answer(await tokens.FindAsync(token, ct) ?? throw NotFound(token));
    }

    private static async Task<IResult> Create(JsonBody body, Requester requester, RegistrationTokenStore tokens, TimeProvider clock, CancellationToken ct)
    {
        requester.RequireAdmin();
        var request = body.AsObject();
        var (uses, expiry) = (UsesOf(request), ExpiryOf(request, clock));
        if (request.StringOrNull("token") is { } named)
        {
            if (named.Length is 0 or > MaxLength || !named.All(c => Letters.Contains(c, StringComparison.Ordinal)))
                throw MatrixError.InvalidParam("token must consist only of characters matched by the regex [A-Za-z0-9-_.~], and be no longer than 64").AsException();
            if (!await tokens.CreateAsync(named, uses.Value, expiry.Value, ct)) throw MatrixError.InvalidParam($"Token already exists: {named}").AsException();
            return Answer(new RegistrationTokenRecord(named, uses.Value, 0, 0, expiry.Value));
        }
        var length = request.IntOrNull("length") ?? 16;
        if (length is < 1 or > MaxLength) throw MatrixError.InvalidParam("length must be between 1 and 64").AsException();
        // A short one may meet one that exists.
        for (var attempt = 0; attempt < 100; attempt++)
        {
            var token = RandomNumberGenerator.GetString(Letters, (int)length);
            if (await tokens.CreateAsync(token, uses.Value, expiry.Value, ct)) return Answer(new RegistrationTokenRecord(token, uses.Value, 0, 0, expiry.Value));
        }
        throw MatrixError.InvalidParam("All tokens of this length seem to be taken; ask for a longer one.").AsException();
    }

    private static async Task<IResult> Update(string token, JsonBody body, Requester requester, RegistrationTokenStore tokens, TimeProvider clock, CancellationToken ct)
    {
        requester.RequireAdmin();
        var request = body.AsObject();
        return Answer(await tokens.UpdateAsync(token, UsesOf(request), ExpiryOf(request, clock), ct) ?? throw NotFound(token));
    }

    private static async Task<IResult> Delete(string token, Requester requester, RegistrationTokenStore tokens, CancellationToken ct)
    {
        requester.RequireAdmin();
        return await tokens.DeleteAsync(token, ct) ? MatrixResults.Empty : throw NotFound(token);
    }

    private static (int? Value, bool Set) UsesOf(JsonElement request)
    {
        var value = request.IntOrNull("uses_allowed");
        if (value is < 0 or > int.MaxValue) throw MatrixError.InvalidParam("uses_allowed must be a non-negative integer or null").AsException();
        return ((int?)value, request.TryGetProperty("uses_allowed", out _));
    }

    private static (long? Value, bool Set) ExpiryOf(JsonElement request, TimeProvider clock)
    {
        var value = request.IntOrNull("expiry_time");
        if (value < clock.GetUtcNow().ToUnixTimeMilliseconds()) throw MatrixError.InvalidParam("expiry_time must not be in the past").AsException();
        return (value, request.TryGetProperty("expiry_time", out _));
    }

    private static IResult Answer(RegistrationTokenRecord token) => MatrixResults.Object(w => Write(w, token));

    private static void Write(Utf8JsonWriter w, RegistrationTokenRecord token)
    {
        w.WriteString("token"u8, token.Token);
        if (token.UsesAllowed is { } uses) w.WriteNumber("uses_allowed"u8, uses);
        else w.WriteNull("uses_allowed"u8);
        w.WriteNumber("pending"u8, token.Pending);
        w.WriteNumber("completed"u8, token.Completed);
        if (token.ExpiryTsMs is { } expiry) w.WriteNumber("expiry_time"u8, expiry);
        else w.WriteNull("expiry_time"u8);
    }

    private static MatrixException NotFound(string token) => MatrixError.NotFound($"No such registration token: {token}").AsException();
}
