using System.Buffers;
using System.Security.Cryptography;
using System.Text.Json;
using Matrix.ClientApi.Sso;
using Matrix.Primitives;
using Matrix.Storage.Accounts;
using Matrix.Web.Json;

namespace Matrix.ClientApi.Uia;

/// <summary>What must be proved, for what.</summary>
internal sealed record UiaDemand
{
    /// <summary>Names the operation with all that the user agrees to (such as the device to be removed): a session serves this alone.</summary>
    public required string Operation { get; init; }
    public required IReadOnlyList<UiaFlow> Flows { get; init; }
    /// <summary>Who must prove it; null at registration.</summary>
    public UserId? User { get; init; }
    /// <summary>Address of the client, as text.</summary>
    public string ClientAddress { get; init; } = "";
    /// <summary>
    /// What of the request is kept while the session lasts, for clients that send nothing but <c>auth</c> later. It is stored: no secrets.
    /// </summary>
    public required Func<CancellationToken, ValueTask<byte[]>> Remember { get; init; }
}

/// <summary>How far a client has come.</summary>
/// <param name="Challenge">The 401 to answer; null: all is proved.</param>
/// <param name="Session">The session, when there is one.</param>
/// <param name="Remembered">What <see cref="UiaDemand.Remember"/> gave when the session began; an empty object without a session.</param>
/// <param name="Results">What the stages found out, by stage; complete only without a challenge.</param>
internal readonly record struct UiaOutcome(IResult? Challenge, string? Session, JsonElement Remembered, IReadOnlyDictionary<string, string> Results)
{
    public static readonly IReadOnlyDictionary<string, string> NoResults = new Dictionary<string, string>();

    /// <summary>What a stage found out; null: it was not part of it, or found out nothing.</summary>
    public string? Result(string stage) => Results.GetValueOrDefault(stage);
}

/// <summary>
/// User-interactive authentication as a state machine over stages. Sessions are in the database, so that any instance continues them; a request
/// that proves everything at once makes none. Spec: client-server-api/#user-interactive-authentication-api
/// </summary>
internal sealed class InteractiveAuth(UiaSessionStore sessions, IEnumerable<IUiaStage> stages)
{
    private readonly Dictionary<string, IUiaStage> stages = stages.ToDictionary(s => s.Type, StringComparer.Ordinal);

    /// <param name="keepSession">True: the caller removes the finished session together with what it writes.</param>
    public async Task<UiaOutcome> CheckAsync(JsonElement body, UiaDemand demand, CancellationToken ct, bool keepSession = false)
    {
        if (body.ObjectOrNull("auth") is not { } auth) return await BeginAsync(demand, [], UiaOutcome.NoResults, null, ct);
        var type = auth.StringOrNull("type");
        if (auth.StringOrNull("session") is not { Length: > 0 } id)
        {
            if (type is null) return await BeginAsync(demand, [], UiaOutcome.NoResults, null, ct);
            var verdict = await CheckStageAsync(type, [], auth, demand, null, ct);
            string[] proved = verdict.Fault is null ? [type] : [];
            var results = verdict.Result is { } result ? new Dictionary<string, string>(StringComparer.Ordinal) { [type] = result } : UiaOutcome.NoResults;
            return IsComplete(demand, proved)
                ? new UiaOutcome(null, null, JsonBody.EmptyObject, results) : await BeginAsync(demand, proved, results, verdict.Fault, ct);
        }
        return await ContinueAsync(id, type, auth, demand, keepSession, ct);
    }

    private async Task<UiaOutcome> ContinueAsync(
        string id, string? type, JsonElement auth, UiaDemand demand, bool keepSession, CancellationToken ct)
    {
        var session = await sessions.FindAsync(id, ct) ?? throw MatrixError.Unknown(400, "Unknown session ID").AsException();
        if (session.Operation != Operation(demand))
            throw MatrixError.Forbidden("Requested operation has changed during the UI authentication session.").AsException();
        if (session.Completed.Contains(SsoStage.WrongUser)) throw MatrixError.Forbidden("Another user has authenticated in this session.").AsException();
        MatrixError? fault = null;
        // Without a type the client asks how far it is: a stage may have been completed elsewhere, such as in a browser.
        if (type is not null && !session.Completed.Contains(type))
        {
            var verdict = await CheckStageAsync(type, session.Completed, auth, demand, id, ct);
            fault = verdict.Fault;
            if (fault is null)
            {
                session = session.With(type, verdict.Result);
                // What completes it is not written: the session goes, or stays for its answer to be asked for again.
                if (!IsComplete(demand, session.Completed)) session = await sessions.CompleteAsync(id, type, verdict.Result, ct) ?? session;
            }
        }
        if (!IsComplete(demand, session.Completed)) return Challenge(demand, id, session.Completed, fault);
        if (!keepSession) await sessions.DeleteAsync(id, ct);
        using var remembered = JsonDocument.Parse(session.Request);
        return new UiaOutcome(null, id, remembered.RootElement.Clone(), session.Results);
    }

    /// <remarks>Synapse: a stage of no flow may be proved as well; it completes nothing.</remarks>
    private ValueTask<UiaVerdict> CheckStageAsync(
        string type, IReadOnlyList<string> completed, JsonElement auth, UiaDemand demand, string? session, CancellationToken ct)
    {
        if (!stages.TryGetValue(type, out var stage)) return new(MatrixError.Unrecognized("Unknown authentication stage."));
        var flows = Stages(demand);
        return UiaOrder.IsNext(flows, completed, type) || !UiaOrder.IsKnown(flows, type)
            ? stage.CheckAsync(new UiaProof(auth, demand.User, session, demand.ClientAddress) { Operation = demand.Operation }, ct) : new(UiaOrder.Broken);
    }

    private static bool IsComplete(UiaDemand demand, IReadOnlyList<string> completed) => UiaOrder.IsComplete(Stages(demand), completed);

    private static IReadOnlyList<IReadOnlyList<string>> Stages(UiaDemand demand) => [.. demand.Flows.Select(f => f.Stages)];

    private static string Operation(UiaDemand demand) => demand.User is { } user ? $"{user.Value} {demand.Operation}" : demand.Operation;

    private async Task<UiaOutcome> BeginAsync(
        UiaDemand demand, string[] proved, IReadOnlyDictionary<string, string> results, MatrixError? fault, CancellationToken ct)
    {
        var session = new UiaSession(NewId(), Operation(demand), proved, await demand.Remember(ct), results) { Flows = Stages(demand) };
        await sessions.CreateAsync(session, ct);
        return Challenge(demand, session.SessionId, proved, fault);
    }

    /// <summary>For a session: 136 bits.</summary>
    public static string NewId() => RandomNumberGenerator.GetString("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz", 24);

    private UiaOutcome Challenge(UiaDemand demand, string id, IReadOnlyList<string> completed, MatrixError? fault)
    {
        var answer = MatrixResults.Object(w =>
        {
            w.WriteString("session"u8, id);
            w.WriteStartArray("flows"u8);
            foreach (var flow in demand.Flows)
            {
                w.WriteStartObject();
                w.WriteStartArray("stages"u8);
                foreach (var stage in flow.Stages) w.WriteStringValue(stage);
                w.WriteEndArray();
                w.WriteEndObject();
            }
            w.WriteEndArray();
            w.WriteStartObject("params"u8);
            foreach (var type in demand.Flows.SelectMany(f => f.Stages).Distinct()) if (stages.TryGetValue(type, out var stage)) WriteParams(w, stage, id);
            w.WriteEndObject();
            // Synapse: who has tried hears how far he is, if only that he is nowhere.
            if (completed.Count > 0 || fault is not null)
            {
                w.WriteStartArray("completed"u8);
                foreach (var stage in completed) w.WriteStringValue(stage);
                w.WriteEndArray();
            }
            if (fault is null) return;
            w.WriteString("errcode"u8, fault.Code);
            w.WriteString("error"u8, fault.Message);
        }, 401);
        return new UiaOutcome(answer, id, JsonBody.EmptyObject, UiaOutcome.NoResults);
    }

    private static void WriteParams(Utf8JsonWriter w, IUiaStage stage, string session)
    {
        var buffer = new ArrayBufferWriter<byte>();
        using (var own = new Utf8JsonWriter(buffer, MatrixResults.WriterOptions))
        {
            own.WriteStartObject();
            if (!stage.WriteParams(own, session)) return;
            own.WriteEndObject();
        }
        w.WritePropertyName(stage.Type);
        w.WriteRawValue(buffer.WrittenSpan, skipInputValidation: true);
    }

    /// <summary>For <see cref="UiaDemand.Remember"/>: the members of the request but <c>auth</c>; for requests that hold no secrets.</summary>
    public static byte[] WithoutAuth(JsonElement body)
    {
        var buffer = new ArrayBufferWriter<byte>();
        using (var writer = new Utf8JsonWriter(buffer, MatrixResults.WriterOptions))
        {
            writer.WriteStartObject();
            foreach (var member in body.EnumerateObject().Where(m => !m.NameEquals("auth"u8))) member.WriteTo(writer);
            writer.WriteEndObject();
        }
        return buffer.WrittenSpan.ToArray();
    }
}
