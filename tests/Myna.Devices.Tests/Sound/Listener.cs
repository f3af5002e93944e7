using Myna.Hardware.Backends;

namespace Myna.Devices.Tests.Sound;

/// <summary>Remembers what it hears.</summary>
internal sealed class Listener : IAudioBackend, IAudioVoice
{
    public List<short> Left { get; } = [];
    public List<short> Right { get; } = [];

    /// <summary>The frame at which each piece began.</summary>
    public List<ulong> Starts { get; } = [];
    public int Stops { get; private set; }

    public IAudioVoice Open() => this;

    public void Play(ulong frame, ReadOnlySpan<short> samples)
    {
        Starts.Add(frame);
        for (int i = 0; i < samples.Length; i += 2)
        {
            Left.Add(samples[i]);
            Right.Add(samples[i + 1]);
        }
    }

    public void Stop() => Stops++;

    /// <summary>Hertz by the changes of sign.</summary>
    public static double Frequency(IReadOnlyList<short> samples)
    {
        int changes = 0;
        for (int i = 1; i < samples.Count; i++)
            changes += (samples[i - 1] < 0) != (samples[i] < 0) ? 1 : 0;
        return changes / 2.0 * IAudioBackend.Rate / samples.Count;
    }
}
