using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace Matrix.Storage.Accounts;

/// <summary>A user-interactive authentication under way.</summary>
/// <param name="Operation">What it was begun for, user included; a session serves nothing else.</param>
/// <param name="Request">Body of the first request, without <c>auth</c>.</param>
/// <param name="Results">What stages found out, by stage, each a JSON value.</param>
public sealed record UiaSession(
    string SessionId, string Operation, IReadOnlyList<string> Completed, byte[] Request, IReadOnlyDictionary<string, string> Results)
{
    /// <summary>The flows that the client was told, each with its stages in their order; null: not known, any order goes.</summary>
    public IReadOnlyList<IReadOnlyList<string>>? Flows { get; init; }
    /// <summary>What the pages of stages go on with, by stage, each a JSON value.</summary>
    public IReadOnlyDictionary<string, string> Kept { get; init; } = new Dictionary<string, string>();

    public UiaSession With(string stage, string? result)
    {
        var results = Results;
        if (result is not null) results = new Dictionary<string, string>(results, StringComparer.Ordinal) { [stage] = result };
        return this with { Completed = [.. Completed, stage], Results = results };
    }
}

/// <summary>Sessions of user-interactive authentication: any instance continues what another began.</summary>
public sealed class UiaSessionStore(Database database, TimeProvider clock)
{
    /// <summary>After this a session is over, whether somebody has tidied up or not.</summary>
    public static readonly TimeSpan Lifetime = TimeSpan.FromHours(48);

    internal const string SqlCreate =
        """
        with old as (delete from uia_sessions where session_id in (select session_id from uia_sessions where created_ts_ms < $5 limit 100))
        insert into uia_sessions (session_id, created_ts_ms, params, request, completed, results, flows)
        values ($1, $2, $3, $4, $6, $7::text::jsonb, $8::text::jsonb)
        """;
    internal const string SqlFind =
        "select params, completed, request, results::text, flows::text, kept::text from uia_sessions where session_id = $1 and created_ts_ms > $2";
    internal const string SqlComplete =
        """
        update uia_sessions set completed = case when $2 = any(completed) then completed else array_append(completed, $2) end,
            results = case when $3::text is null then results else results || jsonb_build_object($2::text, $3::text::jsonb) end
        where session_id = $1 returning params, completed, request, results::text, flows::text, kept::text
        """;
    internal const string SqlKeep =
        """
        update uia_sessions set kept = case when $3::text is null then kept - $2::text else kept || jsonb_build_object($2::text, $3::text::jsonb) end
        where session_id = $1
        """;
    internal const string SqlDelete = "delete from uia_sessions where session_id = $1";

    private long Now => clock.GetUtcNow().ToUnixTimeMilliseconds();
    private long Oldest => Now - (long)Lifetime.TotalMilliseconds;

    /// <summary>Begins a session and forgets some of those that are over.</summary>
    public async Task CreateAsync(UiaSession session, CancellationToken ct)
    {
        await using var command = database.Source.CreateCommand(SqlCreate);
        command.Parameters.AddWithValue(session.SessionId);
        command.Parameters.AddWithValue(Now);
        command.Parameters.AddWithValue(Encoding.UTF8.GetBytes(session.Operation));
        command.Parameters.AddWithValue(session.Request);
        command.Parameters.AddWithValue(Oldest);
        command.Parameters.AddWithValue(session.Completed.ToArray());
        command.Parameters.AddWithValue(Write(session.Results));
        command.Parameters.Add(StoreParameters.Text(session.Flows is { } flows ? JsonSerializer.Serialize(flows, UiaSessionJson.Default.IReadOnlyListIReadOnlyListString) : null));
        await command.ExecuteNonQueryAsync(ct);
    }

    /// <summary>Null: unknown, or over.</summary>
    public async Task<UiaSession?> FindAsync(string sessionId, CancellationToken ct)
    {
        await using var command = database.Source.CreateCommand(SqlFind);
        command.Parameters.AddWithValue(sessionId);
        command.Parameters.AddWithValue(Oldest);
        return await ReadAsync(sessionId, command, ct);
    }

    /// <summary>Adds a completed stage, and what it found out (a JSON value; null: nothing). The session as it is then; null: unknown.</summary>
    public async Task<UiaSession?> CompleteAsync(string sessionId, string stage, string? result, CancellationToken ct)
    {
        await using var command = database.Source.CreateCommand(SqlComplete);
        command.Parameters.AddWithValue(sessionId);
        command.Parameters.AddWithValue(stage);
        command.Parameters.Add(StoreParameters.Text(result));
        return await ReadAsync(sessionId, command, ct);
    }

    /// <summary>What a page goes on with (a JSON value; null: nothing), whichever instance is asked next.</summary>
    public async Task KeepAsync(string sessionId, string stage, string? json, CancellationToken ct)
    {
        await using var command = database.Source.CreateCommand(SqlKeep);
        command.Parameters.AddWithValue(sessionId);
        command.Parameters.AddWithValue(stage);
        command.Parameters.Add(StoreParameters.Text(json));
        await command.ExecuteNonQueryAsync(ct);
    }

    public async Task DeleteAsync(string sessionId, CancellationToken ct)
    {
        await using var command = database.Source.CreateCommand(SqlDelete);
        command.Parameters.AddWithValue(sessionId);
        await command.ExecuteNonQueryAsync(ct);
    }

    private static async Task<UiaSession?> ReadAsync(string sessionId, Npgsql.NpgsqlCommand command, CancellationToken ct)
    {
        await using var r = await command.ExecuteReaderAsync(ct);
        if (!await r.ReadAsync(ct)) return null;
        return new(sessionId, Encoding.UTF8.GetString(r.GetFieldValue<byte[]>(0)), r.GetFieldValue<string[]>(1), r.GetFieldValue<byte[]>(2), Read(r.GetString(3)))
        {
            Flows = r.IsDBNull(4) ? null : JsonSerializer.Deserialize(r.GetString(4), UiaSessionJson.Default.IReadOnlyListIReadOnlyListString),
            Kept = Read(r.GetString(5)),
        };
    }

    private static Dictionary<string, string> Read(string json)
    {
        using var document = JsonDocument.Parse(json);
        return document.RootElement.EnumerateObject().ToDictionary(m => m.Name, m => m.Value.GetRawText(), StringComparer.Ordinal);
    }

    private static string Write(IReadOnlyDictionary<string, string> results)
    {
        using var buffer = new MemoryStream();
        using (var w = new Utf8JsonWriter(buffer))
        {
            w.WriteStartObject();
            foreach (var (stage, result) in results)
            {
                w.WritePropertyName(stage);
                w.WriteRawValue(result);
            }
            w.WriteEndObject();
        }
        return Encoding.UTF8.GetString(buffer.ToArray());
    }
}

[JsonSerializable(typeof(IReadOnlyList<IReadOnlyList<string>>))]
internal sealed partial class UiaSessionJson : JsonSerializerContext;
