using System.Runtime.InteropServices;

namespace Myna.Host;

/// <summary>A terminal's settings (termios(3)). Opaque; at least as large as the C library's structure (60 bytes in glibc).</summary>
[StructLayout(LayoutKind.Sequential, Size = 128)]
internal unsafe partial struct Termios
{
    private const int TCSADRAIN = 1;

    /// <summary>Those of a descriptor; null if it is no terminal.</summary>
    public static Termios? Of(int fd)
    {
        Termios settings;
        // SAFETY: the C library fills one termios structure.
        return tcgetattr(fd, &settings) == 0 ? settings : null;
    }

    /// <summary>The same without any processing of what passes.</summary>
    public readonly Termios Raw()
    {
        Termios raw = this;
        // SAFETY: the call takes one termios structure.
        cfmakeraw(&raw);
        return raw;
    }

    /// <summary>Makes them those of a descriptor, once its output is out; one that is no terminal any more stays as it is.</summary>
    public readonly void Apply(int fd)
    {
        Termios settings = this;
        // SAFETY: the call takes one termios structure.
        _ = tcsetattr(fd, TCSADRAIN, &settings);
    }

    [LibraryImport("libc")]
    private static partial int tcgetattr(int fd, Termios* termios);

    [LibraryImport("libc")]
    private static partial int tcsetattr(int fd, int actions, Termios* termios);

    [LibraryImport("libc")]
    private static partial void cfmakeraw(Termios* termios);
}
