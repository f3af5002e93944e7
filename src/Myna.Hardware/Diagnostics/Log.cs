namespace Myna.Hardware.Diagnostics;

/// <summary>
/// What a machine's parts have to say, by component. One per machine; parts are given a <see cref="LogChannel"/>.
/// Thread-safe.
/// </summary>
public sealed class Log
{
    private readonly Action<string> _sink;
    private readonly HashSet<string> _components;
    private readonly Dictionary<string, LogChannel> _channels = [];
    private readonly Lock _lock = new();

    /// <param name="sink">Takes one line, without a line feed; never called by two threads at a time.</param>
    /// <param name="components">Names that are switched on; "all" means every one. Others say warnings only.</param>
    /// <param name="time">For the rate limit; the host's if null.</param>
    public Log(Action<string> sink, IEnumerable<string> components, TimeProvider? time = null)
    {
        _sink = sink;
        _components = new(components, StringComparer.OrdinalIgnoreCase);
        Time = time ?? TimeProvider.System;
    }

    /// <summary>Says nothing at all.</summary>
    public static Log None { get; } = new(static _ => { }, []);

    internal TimeProvider Time { get; }

    /// <summary>The channel of a component (a device or part name in lower case, such as "plic", "virtio-blk", "hart").</summary>
    public LogChannel this[string component]
    {
        get
        {
            lock (_lock)
            {
                if (!_channels.TryGetValue(component, out LogChannel? channel))
                {
                    bool enabled = _components.Contains("all") || _components.Contains(component);
                    _channels[component] = channel = new LogChannel(this, component, enabled);
                }
                return channel;
            }
        }
    }

    /// <summary>The components that have asked for their channel so far, sorted: what --log can name.</summary>
    public string[] Components
    {
        get
        {
            lock (_lock)
                return [.. _channels.Keys.Order(StringComparer.Ordinal)];
        }
    }

    internal void Write(string line)
    {
        lock (_lock)
            _sink(line);
    }
}
