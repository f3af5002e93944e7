using Myna.Devices.Sound;
using Myna.Devices.Timers;
using Myna.Hardware.Backends;
using Myna.Hardware.State;
using Myna.Hardware.Time;

namespace Myna.Devices.Ports;

/// <summary>
/// Port 61h, NMI status and control (ICH9 datasheet, section 13.7.1): gate and output of the 8254's counter 2, speaker
/// enable, the memory refresh toggle. LIMIT: there are no NMI sources.
/// </summary>
[Stateful("port61")]
public sealed partial class SystemControlPortB : IPortDevice
{
    private const byte TIM_CNT2_EN = 1, SPKR_DAT_EN = 2, Writable = 0x0f, REF_TOGGLE = 0x10, TMR2_OUT_STS = 0x20;

    // Nanoseconds between two refreshes, a count of 18 of the 8254.
    private const ulong RefreshPeriod = 15_085;

    private readonly I8254 _pit;
    private readonly Clock _clock;
    private readonly PcSpeaker? _speaker;

    [Saved(1)] private byte _value;

    /// <param name="audio">Who hears the speaker; null for nobody.</param>
    public SystemControlPortB(I8254 pit, Clock clock, IAudioBackend? audio = null)
    {
        _speaker = audio is null ? null : new PcSpeaker(pit, clock, audio.Open());
        _pit = pit;
        _clock = clock;
        Ports = new PortBlock(this, 0, 1);
    }

    /// <summary>Port 61h.</summary>
    [field: NotSaved("wiring")]
    public PortBlock Ports { get; }

    byte IPortDevice.ReadPort(int block, int offset)
        => (byte)(Volatile.Read(ref _value) | ((_clock.Now / RefreshPeriod & 1) != 0 ? REF_TOGGLE : 0) | (_pit.Out2 ? TMR2_OUT_STS : 0));

    void IPortDevice.WritePort(int block, int offset, byte value)
    {
        Volatile.Write(ref _value, (byte)(value & Writable));
        Sync();
    }

    /// <summary>Power-on state.</summary>
    public void Reset()
    {
        _value = 0;
        Sync();
    }

    private void Sync()
    {
        byte value = Volatile.Read(ref _value);
        _pit.Gate2 = (value & TIM_CNT2_EN) != 0;
        _speaker?.Switch((value & SPKR_DAT_EN) != 0);
    }
}
