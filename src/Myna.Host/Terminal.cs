using System.Runtime.InteropServices;

namespace Myna.Host;

/// <summary>Rows and columns of a terminal.</summary>
public readonly record struct TerminalSize(ushort Rows, ushort Columns);

/// <summary>
/// The terminal that standard input is, in raw mode while a guest has it (termios(3)). The old settings come back on
/// <see cref="Dispose"/>, at the end of the process, and when a thread dies of an exception; a SIGKILL cannot be helped
/// ("stty sane" does).
/// </summary>
public sealed unsafe partial class Terminal : IDisposable
{
    private const int Input = 0, Output = 1;
    private static Terminal? _current;
    private readonly Termios _saved;
    private readonly PosixSignalRegistration _continued;
    private int _restored;

    private Terminal(in Termios saved)
    {
        _saved = saved;
        _current = this;
        AppDomain.CurrentDomain.ProcessExit += OnEnd;
        AppDomain.CurrentDomain.UnhandledException += OnEnd;
        // A shell that suspended us (kill -STOP) has set the terminal for itself.
        _continued = PosixSignalRegistration.Create(PosixSignal.SIGCONT, _ => Apply());
    }

    /// <summary>Whether standard input and standard output are terminals.</summary>
    public static bool InputIsTerminal => isatty(Input) == 1;

    /// <inheritdoc cref="InputIsTerminal"/>
    public static bool OutputIsTerminal => isatty(Output) == 1;

    /// <summary>Whether standard error is a terminal.</summary>
    public static bool ErrorIsTerminal => isatty(2) == 1;

    /// <summary>Whether this process may change the terminal's settings: one in the background would be stopped.</summary>
    public static bool IsForeground => tcgetpgrp(Input) == getpgrp();

    /// <summary>The size of the terminal that standard output is; null if it is none or does not say.</summary>
    public static TerminalSize? Size
    {
        get
        {
            WinSize size = default;
            // SAFETY: the kernel fills one winsize structure.
            return ioctl(Output, TIOCGWINSZ, &size) == 0 && size.Rows > 0 && size.Columns > 0 ? new(size.Rows, size.Columns) : null;
        }
    }

    /// <summary>Sets raw mode: every key reaches the guest, including those that would raise signals.</summary>
    /// <returns>Null if standard input is no terminal.</returns>
    public static Terminal? EnterRaw()
    {
        if (Termios.Of(Input) is not { } saved)
            return null;
        var terminal = new Terminal(saved);
        terminal.Apply();
        return terminal;
    }

    /// <summary>Calls back when the terminal's size changes.</summary>
    public static IDisposable OnResize(Action<TerminalSize> changed) =>
        PosixSignalRegistration.Create(PosixSignal.SIGWINCH, _ =>
        {
            if (Size is TerminalSize size)
                changed(size);
        });

    /// <summary>Brings the settings back that the terminal had; further calls do nothing.</summary>
    public void Dispose()
    {
        if (Interlocked.Exchange(ref _restored, 1) != 0)
            return;
        _continued.Dispose();
        AppDomain.CurrentDomain.ProcessExit -= OnEnd;
        AppDomain.CurrentDomain.UnhandledException -= OnEnd;
        _saved.Apply(Input);
        _current = null;
    }

    private static void OnEnd(object? sender, EventArgs e) => _current?.Dispose();

    private void Apply()
    {
        if (_restored == 0)
            _saved.Raw().Apply(Input);
    }

    private const nuint TIOCGWINSZ = 0x5413;

    [StructLayout(LayoutKind.Sequential)]
    private struct WinSize
    {
        public ushort Rows, Columns, XPixels, YPixels;
    }

    [LibraryImport("libc")]
    private static partial int isatty(int fd);

    [LibraryImport("libc")]
    private static partial int tcgetpgrp(int fd);

    [LibraryImport("libc")]
    private static partial int getpgrp();

    [LibraryImport("libc", SetLastError = true)]
    private static partial int ioctl(int fd, nuint request, WinSize* size);
}
