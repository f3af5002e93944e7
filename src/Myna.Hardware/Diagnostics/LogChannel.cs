using System.Runtime.CompilerServices;

namespace Myna.Hardware.Diagnostics;

/// <summary>
/// One component's log. Messages are formatted only when they will be shown: <c>log.Guest($"write of {value:x} to a
/// read-only register")</c> costs one test when the component is off. Thread-safe.
/// </summary>
public sealed class LogChannel
{
    /// <summary>Guest messages of one component that are shown within <see cref="Window"/>; the rest is counted.</summary>
    public const int Burst = 20;

    /// <summary>The rate limit's window.</summary>
    public static readonly TimeSpan Window = TimeSpan.FromSeconds(1);

    private readonly Log _log;
    private readonly Lock _lock = new();
    private long _windowStart;
    private int _shown;
    private long _suppressed;

    internal LogChannel(Log log, string component, bool enabled)
    {
        _log = log;
        Component = component;
        Enabled = enabled;
        _windowStart = log.Time.GetTimestamp();
    }

    /// <summary>A channel that nobody reads.</summary>
    public static LogChannel None { get; } = Log.None["none"];

    public string Component { get; }

    /// <summary>Whether the user asked for this component.</summary>
    public bool Enabled { get; }

    /// <summary>A mistake of the guest: shown when the component is on, at most <see cref="Burst"/> in a <see cref="Window"/>.</summary>
    public void Guest([InterpolatedStringHandlerArgument("")] ref GuestMessage message)
    {
        if (message.Shown)
            _log.Write($"{Component}: {message.Text}");
    }

    /// <inheritdoc cref="Guest(ref GuestMessage)"/>
    public void Guest(string message)
    {
        if (Enabled && Admit())
            _log.Write($"{Component}: {message}");
    }

    /// <summary>What the component does, for whoever switched it on.</summary>
    public void Info([InterpolatedStringHandlerArgument("")] ref InfoMessage message)
    {
        if (message.Shown)
            _log.Write($"{Component}: {message.Text}");
    }

    /// <inheritdoc cref="Info(ref InfoMessage)"/>
    public void Info(string message)
    {
        if (Enabled)
            _log.Write($"{Component}: {message}");
    }

    /// <summary>What the user should know without asking (a device stopped, a host resource failed); rate-limited too.</summary>
    public void Warn(string message)
    {
        if (Admit())
            _log.Write($"{Component}: warning: {message}");
    }

    private bool Admit()
    {
        long suppressed = 0;
        lock (_lock)
        {
            if (_log.Time.GetElapsedTime(_windowStart) >= Window)
            {
                _windowStart = _log.Time.GetTimestamp();
                (suppressed, _suppressed, _shown) = (_suppressed, 0, 0);
            }
            if (_shown >= Burst)
            {
                _suppressed++;
                return false;
            }
            _shown++;
        }
        if (suppressed > 0)
            _log.Write($"{Component}: {suppressed} more messages were not shown");
        return true;
    }

    /// <summary>Formats a rate-limited message, or skips its arguments.</summary>
    [InterpolatedStringHandler]
    public ref struct GuestMessage
    {
        private DefaultInterpolatedStringHandler _text;

        public GuestMessage(int literalLength, int formattedCount, LogChannel channel, out bool shown)
        {
            Shown = shown = channel.Enabled && channel.Admit();
            if (shown)
                _text = new(literalLength, formattedCount);
        }

        internal bool Shown { get; }
        internal string Text => _text.ToStringAndClear();

        public void AppendLiteral(string value) => _text.AppendLiteral(value);
        public void AppendFormatted<T>(T value) => _text.AppendFormatted(value);
        public void AppendFormatted<T>(T value, string? format) => _text.AppendFormatted(value, format);
    }

    /// <summary>Formats a message of an enabled component, or skips its arguments.</summary>
    [InterpolatedStringHandler]
    public ref struct InfoMessage
    {
        private DefaultInterpolatedStringHandler _text;

        public InfoMessage(int literalLength, int formattedCount, LogChannel channel, out bool shown)
        {
            Shown = shown = channel.Enabled;
            if (shown)
                _text = new(literalLength, formattedCount);
        }

        internal bool Shown { get; }
        internal string Text => _text.ToStringAndClear();

        public void AppendLiteral(string value) => _text.AppendLiteral(value);
        public void AppendFormatted<T>(T value) => _text.AppendFormatted(value);
        public void AppendFormatted<T>(T value, string? format) => _text.AppendFormatted(value, format);
    }
}
