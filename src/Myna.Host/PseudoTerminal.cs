using System.Globalization;
using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Myna.Host;

/// <summary>A pseudoterminal (pts(4)) in raw mode, whose other end some terminal program opens.</summary>
public sealed unsafe partial class PseudoTerminal : IDisposable
{
    private const int O_RDWR = 2, O_NOCTTY = 0x100, O_CLOEXEC = 0x80000;
    private const nuint TIOCSPTLCK = 0x4004_5431, TIOCGPTN = 0x8004_5430;

    // Kept open: without a user the other end would report a hang-up.
    private readonly SafeFileHandle _user;

    /// <exception cref="IOException">The host has none.</exception>
    public PseudoTerminal()
    {
        int fd = Libc.open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC);
        if (fd < 0)
            throw new IOException($"the host has no pseudoterminal: {Marshal.GetLastPInvokeErrorMessage()}");
        var handle = new SafeFileHandle(fd, ownsHandle: true);
        int number = 0, unlock = 0;
        // SAFETY: both requests take one int.
        if (ioctl(fd, TIOCSPTLCK, &unlock) != 0 || ioctl(fd, TIOCGPTN, &number) != 0)
            throw new IOException($"the host has no pseudoterminal: {Marshal.GetLastPInvokeErrorMessage()}");
        Path = string.Create(CultureInfo.InvariantCulture, $"/dev/pts/{number}");
        int user = Libc.open(Path, O_RDWR | O_NOCTTY | O_CLOEXEC);
        if (user < 0)
            throw new IOException($"{Path} cannot be opened: {Marshal.GetLastPInvokeErrorMessage()}");
        _user = new SafeFileHandle(user, ownsHandle: true);
        if (Termios.Of(user) is { } settings)
            settings.Raw().Apply(user);
        Stream = new FileStream(handle, FileAccess.ReadWrite, bufferSize: 0);
    }

    /// <summary>What the terminal program opens.</summary>
    public string Path { get; }

    /// <summary>This end.</summary>
    public FileStream Stream { get; }

    public void Dispose()
    {
        Stream.Dispose();
        _user.Dispose();
    }

    [LibraryImport("libc", SetLastError = true)]
    private static partial int ioctl(int fd, nuint request, int* value);
}
