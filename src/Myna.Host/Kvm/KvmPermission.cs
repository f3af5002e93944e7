using System.Globalization;
using System.Runtime.InteropServices;

namespace Myna.Host.Kvm;

/// <summary>Who may open KVM's device.</summary>
internal static unsafe partial class KvmPermission
{
    private const int AT_FDCWD = -100, StatxSize = 256, GidAt = 24, ModeAt = 28;
    private const uint STATX_BASIC_STATS = 0x7ff;
    private const int GroupReadWrite = 0x30;

    /// <summary>For a user to whom it was denied: which group to join, or what else has to be done.</summary>
    public static string Explain(string path)
    {
        string denied = $"permission to open {path} is denied";
        Span<byte> stat = stackalloc byte[StatxSize];
        fixed (byte* p = stat)
        {
            // SAFETY: statx(2) fills a structure of 256 bytes.
            if (statx(AT_FDCWD, path, 0, STATX_BASIC_STATS, p) != 0)
                return denied;
        }
        uint group = MemoryMarshal.Read<uint>(stat[GidAt..]);
        int mode = MemoryMarshal.Read<ushort>(stat[ModeAt..]);
        return group != 0 && (mode & GroupReadWrite) == GroupReadWrite
            ? $"{denied}: join the group {NameOf(group)} (as root: usermod -aG {NameOf(group)} {Environment.UserName}) and log in again"
            : $"{denied} to all but root: give it to the group kvm (as root: chgrp kvm {path}; chmod 660 {path}; usermod -aG kvm {Environment.UserName}) and log in again";
    }

    private static string NameOf(uint group)
    {
        string number = group.ToString(CultureInfo.InvariantCulture);
        try
        {
            // group(5): name:password:number:members.
            return File.ReadLines("/etc/group").Select(l => l.Split(':')).FirstOrDefault(f => f.Length > 2 && f[2] == number)?[0] ?? number;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return number;
        }
    }

    [LibraryImport("libc", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int statx(int folder, string path, int flags, uint mask, byte* buffer);
}
