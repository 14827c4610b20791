using System.Buffers;
using System.Net.Http.Headers;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;

namespace Matrix.Tools.Commands;

internal sealed record NewUser(string Name, string Password, bool IsAdmin, string? DisplayName);

/// <summary>Registration with the shared secret. Synapse: admin_api/register_api</summary>
internal static class SharedSecretRegistration
{
    private const string Path = "/_synapse/admin/v1/register";

    public static async Task<int> RunAsync(ToolContext context, HttpClient http, string secret, NewUser user, CancellationToken ct)
    {
        try
        {
            using var nonceAnswer = await http.GetAsync(Path, ct);
            using var nonceJson = await ReadAsync(nonceAnswer, ct);
            if (!nonceAnswer.IsSuccessStatusCode) return await RefuseAsync(context, nonceAnswer, nonceJson);
            var nonce = nonceJson.RootElement.GetProperty("nonce").GetString()!;
            using var content = new ReadOnlyMemoryContent(Body(secret, nonce, user)) { Headers = { ContentType = new MediaTypeHeaderValue("application/json") } };
            using var answer = await http.PostAsync(Path, content, ct);
            using var json = await ReadAsync(answer, ct);
            if (!answer.IsSuccessStatusCode) return await RefuseAsync(context, answer, json);
            await context.Out.WriteLineAsync($"{json.RootElement.GetProperty("user_id").GetString()} is registered{(user.IsAdmin ? " as administrator" : "")}.");
            return ToolExit.Ok;
        }
        catch (HttpRequestException e)
        {
            await context.Error.WriteLineAsync($"{http.BaseAddress} cannot be reached: {e.Message}");
            return ToolExit.Unreachable;
        }
        catch (JsonException)
        {
            await context.Error.WriteLineAsync($"{http.BaseAddress} does not answer like a homeserver.");
            return ToolExit.Unreachable;
        }
    }

    private static async Task<JsonDocument> ReadAsync(HttpResponseMessage answer, CancellationToken ct) =>
        JsonDocument.Parse(await answer.Content.ReadAsByteArrayAsync(ct));

    private static async Task<int> RefuseAsync(ToolContext context, HttpResponseMessage answer, JsonDocument json)
    {
        string? Text(string name) => json.RootElement.ValueKind == JsonValueKind.Object && json.RootElement.TryGetProperty(name, out var v) ? v.ToString() : null;
        await context.Error.WriteLineAsync($"Refused: {Text("error") ?? answer.ReasonPhrase} ({(int)answer.StatusCode} {Text("errcode")})");
        return ToolExit.Failed;
    }

    private static ReadOnlyMemory<byte> Body(string secret, string nonce, NewUser user)
    {
        var buffer = new ArrayBufferWriter<byte>(256);
        using (var w = new Utf8JsonWriter(buffer))
        {
            w.WriteStartObject();
            w.WriteString("nonce", nonce);
            w.WriteString("username", user.Name);
            w.WriteString("password", user.Password);
            w.WriteBoolean("admin", user.IsAdmin);
            if (user.DisplayName is not null) w.WriteString("displayname", user.DisplayName);
            w.WriteString("mac", Mac(secret, nonce, user));
            w.WriteEndObject();
        }
        return buffer.WrittenMemory;
    }

    /// <summary>HMAC-SHA1, as the interface has it.</summary>
    internal static string Mac(string secret, string nonce, NewUser user)
    {
        var text = string.Join('\0', nonce, user.Name, user.Password, user.IsAdmin ? "admin" : "notadmin");
        return Convert.ToHexStringLower(HMACSHA1.HashData(Encoding.UTF8.GetBytes(secret), Encoding.UTF8.GetBytes(text)));
    }
}
