using Npgsql;

namespace Matrix.Storage.Media;

/// <summary>An upload of a local user.</summary>
/// <param name="Length">Bytes.</param>
/// <param name="Sha256">Names the content in the media store; several uploads may share it.</param>
/// <param name="UploadName">File name that the uploader gave; null: none.</param>
public sealed record MediaRecord(string MediaId, string UserId, string ContentType, long Length, byte[] Sha256, string? UploadName, long CreatedTsMs);

/// <summary>Table media. The content is on disk, or in the object store, before its row is written.</summary>
public sealed class MediaMetadataStore(Database database)
{
    internal const string SqlInsert =
        "insert into media (media_id, user_id, content_type, length, sha256, upload_name, created_ts_ms) values ($1, $2, $3, $4, $5, $6, $7)";
    internal const string SqlFind =
        "select media_id, user_id, content_type, length, sha256, upload_name, created_ts_ms from media where media_id = $1";
    internal const string SqlTouch =
        "update media set last_access_ts_ms = $2 where media_id = $1 and (last_access_ts_ms is null or last_access_ts_ms < $2 - 3600000)";

    public async Task InsertAsync(MediaRecord media, CancellationToken ct)
    {
        await using var command = database.Source.CreateCommand(SqlInsert);
        command.Parameters.AddWithValue(media.MediaId);
        command.Parameters.AddWithValue(media.UserId);
        command.Parameters.AddWithValue(media.ContentType);
        command.Parameters.AddWithValue(media.Length);
        command.Parameters.AddWithValue(media.Sha256);
        command.Parameters.AddWithValue((object?)media.UploadName ?? DBNull.Value);
        command.Parameters.AddWithValue(media.CreatedTsMs);
        await command.ExecuteNonQueryAsync(ct);
    }

    /// <summary>Null: no such media here.</summary>
    public async Task<MediaRecord?> FindAsync(string mediaId, CancellationToken ct)
    {
        await using var command = database.Source.CreateCommand(SqlFind);
        command.Parameters.AddWithValue(mediaId);
        await using var r = await command.ExecuteReaderAsync(ct);
        if (!await r.ReadAsync(ct)) return null;
        return new(r.GetString(0), r.GetString(1), r.GetString(2), r.GetInt64(3), r.GetFieldValue<byte[]>(4),
            r.IsDBNull(5) ? null : r.GetString(5), r.GetInt64(6));
    }

    /// <summary>Notes an access; at most once an hour, so that a popular picture costs no writes.</summary>
    public async Task TouchAsync(string mediaId, long nowMs, CancellationToken ct)
    {
        await using var command = database.Source.CreateCommand(SqlTouch);
        command.Parameters.AddWithValue(mediaId);
        command.Parameters.AddWithValue(nowMs);
        await command.ExecuteNonQueryAsync(ct);
    }
}
