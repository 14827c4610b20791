using System.Text.Json;

namespace Matrix.Testing.Specification;

/// <summary>What an answer does against the specification.</summary>
public static class SpecificationCheck
{
    private const string ErrorSchema = "client-server/definitions/errors/error";
    private const string UiaSchema = "client-server/definitions/auth_response";

    /// <summary>Whether the body has to be looked at: the operation is the specification's, and its answer is JSON or an error.</summary>
    public static bool SaysSomethingOf(string method, Uri address, int status) =>
        Operation(method, address) is { } operation && (status >= 400 || operation.TypeOf(status) is null or "application/json");

    /// <summary>Throws when an answer has faults. In a survey they are only noted.</summary>
    public static void Require(string method, Uri address, int status, string? contentType, ReadOnlyMemory<byte> body)
    {
        var faults = Faults(method, address, status, contentType, body);
        if (faults.Count > 0 && !SpecificationNotes.AreWanted) throw new SpecificationBrokenException(method, address, status, faults);
        foreach (var fault in faults) SpecificationNotes.Add(Operation(method, address)!, $"{status} FAULT {fault}");
    }

    /// <summary>Faults of an answer, each with its place; none for requests that the specification does not know.</summary>
    public static IReadOnlyList<string> Faults(string method, Uri address, int status, string? contentType, ReadOnlyMemory<byte> body)
    {
        if (Operation(method, address) is not { } operation || status is 206 or 304) return [];
        var findings = new SchemaFindings();
        if (status >= 400) CheckError(operation, status, contentType, body, findings);
        else if (operation.TypeOf(status) is not { } type) findings.Fault("", $"one of the documented statuses, not {status}", default);
        else if (type == "application/json") CheckAnswer(operation, status, contentType, body, findings);
        if (status < 400) SpecificationNotes.Unknown(operation, status, findings.UnknownMembers);
        return [.. findings.Faults.Where(f => !KnownDeviations.Covers(operation, f))];
    }

    /// <summary>Null also for members of events that the client does not want, and for sending that waits (MSC4140) and so has no event yet.</summary>
    private static Operation? Operation(string method, Uri address) =>
        address.Query.Contains("event_fields", StringComparison.Ordinal) || address.Query.Contains("msc4140.delay", StringComparison.Ordinal)
            ? null : MatrixSpecification.Find(method, address.AbsolutePath);

    private static void CheckAnswer(Operation operation, int status, string? contentType, ReadOnlyMemory<byte> body, SchemaFindings findings)
    {
        if (Parse(contentType, body, findings) is not { } value) return;
        operation.SchemaOf(status)?.Check(value, "", findings);
        if (operation.Path.EndsWith("ync", StringComparison.Ordinal) || operation.Path.EndsWith("/events", StringComparison.Ordinal)) CheckEvents(value, "", findings);
    }

    private static void CheckError(Operation operation, int status, string? contentType, ReadOnlyMemory<byte> body, SchemaFindings findings)
    {
        if (contentType is "text/html") return;
        if (Parse(contentType, body, findings) is not { } value) return;
        if (status == 401 && value.ValueKind == JsonValueKind.Object && value.TryGetProperty("flows", out _))
        {
            MatrixSpecification.Definition(UiaSchema).Check(value, "", findings);
            return;
        }
        MatrixSpecification.Definition(ErrorSchema).Check(value, "", findings);
        if (value.ValueKind == JsonValueKind.Object && !value.TryGetProperty("error", out _)) findings.Fault("/error", "to be there", default);
        // The schema of 401 is that of user-interactive authentication.
        if (status != 401) operation.SchemaOf(status)?.Check(value, "", findings);
        if (status >= 500 && status != 503 && operation.TypeOf(status) is null) findings.Fault("", $"an answer, not {status}", value);
    }

    private static JsonElement? Parse(string? contentType, ReadOnlyMemory<byte> body, SchemaFindings findings)
    {
        if (contentType != "application/json") findings.Fault("", $"content type application/json, not {contentType ?? "none"}", default);
        try
        {
            return JsonDocument.Parse(body).RootElement;
        }
        catch (JsonException e)
        {
            findings.Fault("", $"JSON ({e.Message})", default);
            return null;
        }
    }

    /// <summary>Events that only servers write, wherever they stand; they have no id.</summary>
    private static void CheckEvents(JsonElement value, string pointer, SchemaFindings findings)
    {
        if (value.ValueKind == JsonValueKind.Array)
        {
            var index = 0;
            foreach (var item in value.EnumerateArray()) CheckEvents(item, $"{pointer}/{index++}", findings);
        }
        if (value.ValueKind != JsonValueKind.Object) return;
        if (value.TryGetProperty("type", out var type) && type.ValueKind == JsonValueKind.String && value.TryGetProperty("content", out _))
        {
            if (!value.TryGetProperty("event_id", out _)) MatrixSpecification.Event(type.GetString()!)?.Check(value, pointer, findings);
            return;
        }
        foreach (var member in value.EnumerateObject()) CheckEvents(member.Value, $"{pointer}/{member.Name}", findings);
    }

    /// <summary>Valid requests that were refused for their shape, and broken ones that were taken: neither is a fault for sure.</summary>
    internal static void NoteRequest(string method, Uri address, byte[] request, int status, byte[] answer)
    {
        if (Operation(method, address) is not { Body: { } schema } operation) return;
        var findings = new SchemaFindings();
        try
        {
            using var sent = JsonDocument.Parse(request);
            schema.Check(sent.RootElement, "", findings);
            if (findings.Faults.Count > 0 && status < 300) SpecificationNotes.Add(operation, $"{status} took a request with {findings.Faults[0]}");
            if (findings.Faults.Count > 0 || status != 400) return;
            using var error = JsonDocument.Parse(answer);
            if (error.RootElement.GetProperty("errcode").GetString() is "M_BAD_JSON" or "M_NOT_JSON" or "M_MISSING_PARAM")
                SpecificationNotes.Add(operation, $"400 for {sent.RootElement.GetRawText()}: {error.RootElement.GetRawText()}");
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            if (status < 300) SpecificationNotes.Add(operation, $"{status} took a request that is no JSON");
        }
    }
}
