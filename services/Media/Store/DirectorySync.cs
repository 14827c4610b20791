using System.ComponentModel;
using System.Runtime.InteropServices;

namespace Matrix.Media.Store;

/// <summary>A rename is on disk only once its directory is; .NET opens no directories, so libc does.</summary>
internal static partial class DirectorySync
{
    private const int OpenDirectoryCloseOnExec = 0x10000 | 0x80000;   // O_DIRECTORY | O_CLOEXEC of Linux on x64
    private const int OpenDirectoryCloseOnExecArm = 0x4000 | 0x80000; // O_DIRECTORY differs on arm64

    public static void Flush(string directory)
    {
        if (!OperatingSystem.IsLinux()) return;    // elsewhere the file system orders renames itself, or offers no way
        var flags = RuntimeInformation.ProcessArchitecture == Architecture.Arm64 ? OpenDirectoryCloseOnExecArm : OpenDirectoryCloseOnExec;
        var fd = Open(directory, flags);
        if (fd < 0) throw new IOException($"Cannot open {directory}", new Win32Exception(Marshal.GetLastPInvokeError()));
        try
        {
            if (Sync(fd) != 0) throw new IOException($"Cannot flush {directory}", new Win32Exception(Marshal.GetLastPInvokeError()));
        }
        finally
        {
            _ = Close(fd);
        }
    }

    [LibraryImport("libc", EntryPoint = "open", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int Open(string path, int flags);

    [LibraryImport("libc", EntryPoint = "fsync", SetLastError = true)]
    private static partial int Sync(int fd);

    [LibraryImport("libc", EntryPoint = "close", SetLastError = true)]
    private static partial int Close(int fd);
}
