namespace Myna.Hardware.Backends;

/// <summary>What hears a machine: samples of 16 bits, left and right in turn, at 48 kHz. Never blocks for long.</summary>
public interface IAudioBackend
{
    /// <summary>Frames a second.</summary>
    const int Rate = 48_000;

    /// <summary>A source of sound, which is heard together with the others.</summary>
    IAudioVoice Open();
}

/// <summary>One source of sound.</summary>
public interface IAudioVoice
{
    /// <summary>Sound from a frame of the machine's time on. Frames that have been heard already are left out.</summary>
    /// <param name="frame">Its number since the machine was made.</param>
    /// <param name="samples">Left and right in turn.</param>
    void Play(ulong frame, ReadOnlySpan<short> samples);

    /// <summary>Nothing follows for now.</summary>
    void Stop();
}
