using Myna.Hardware.State;
using Myna.Hardware.Time;

namespace Myna.Devices.Usb;

/// <summary>
/// A human interface device (HID 1.11) with one interrupt IN endpoint and reports without an ID. Reports wait in a queue until the host
/// asks for them. Saved tags 20 to 29 are this class's.
/// </summary>
[Stateful("usb-hid")]
public abstract partial class HidDevice : UsbDevice
{
    private const byte GET_REPORT = 0x01, GET_IDLE = 0x02, GET_PROTOCOL = 0x03, SET_REPORT = 0x09, SET_IDLE = 0x0a, SET_PROTOCOL = 0x0b;
    private const byte HID = 0x21, REPORT = 0x22, InputReport = 1, OutputReport = 2;
    private protected const int In = 0x81, Waiting = 16, ReportSize = 8;
    private const ulong IdleUnit = 4_000_000; // nanoseconds (section 7.2.4)

    [NotSaved("descriptors, made at construction")] private readonly byte[] _hid, _report;
    private readonly Clock _clock;
    private readonly ClockTimer _timer;

    // Reports that the host has not taken, the oldest at First.
    [Saved(20)] private readonly byte[] _queue = new byte[Waiting * ReportSize];
    [Saved(21)] private byte _first;
    [Saved(22)] private byte _count;

    // What the host has been told last.
    [Saved(23)] private readonly byte[] _last = new byte[ReportSize];
    [Saved(24)] private byte _idle;
    [Saved(25)] private byte _protocol = 1;
    [Saved(26)] private ulong _deadline = ulong.MaxValue;

    // The newest report may be replaced.
    [Saved(27)] private bool _replaceable;

    /// <param name="boot">Subclass and protocol of a boot device, or zeroes (section 4.2).</param>
    private protected HidDevice(string name, UsbSpeed speed, ushort product, string title, (byte Sub, byte Protocol) boot, byte[] report, Clock clock)
        : base(name, speed, new UsbDescription(speed, 0x0627, product, title, "", default, (3, boot.Sub, boot.Protocol), Descriptor(report),
            // Every millisecond at full speed, every 4 ms (2^(6-1) microframes) otherwise.
            new UsbEndpoint(In, UsbEndpoint.Interrupt, ReportSize, speed == UsbSpeed.Full ? (byte)4 : (byte)6)))
    {
        _report = report;
        _hid = Descriptor(report);
        _clock = clock;
        _timer = clock.CreateTimer(Repeat);
    }

    /// <summary>Bytes of an input report.</summary>
    private protected abstract int InputSize { get; }

    /// <summary>The host takes reports: there is a driver, and it is not far behind.</summary>
    public bool IsActive => IsConfigured && Volatile.Read(ref _count) < Waiting;

    internal override void BusReset()
    {
        base.BusReset();
        Array.Clear(_queue);
        Array.Clear(_last);
        _first = 0;
        Volatile.Write(ref _count, 0);
        (_idle, _protocol, _replaceable) = (0, 1, false);
        Released();
        SetDeadline(ulong.MaxValue);
    }

    /// <summary>The present state as an input report.</summary>
    private protected abstract void Fill(Span<byte> report);

    /// <summary>The state is as nobody touched the device.</summary>
    private protected abstract void Released();

    /// <summary>An output report has come.</summary>
    private protected virtual void Output(ReadOnlySpan<byte> report) { }

    /// <summary>The present state is a new report. Under the lock.</summary>
    /// <param name="motion">It may be replaced by the next one of this kind while the host has not taken it.</param>
    private protected void Report(bool motion)
    {
        if (!IsConfigured)
            return;
        if (!(motion && _replaceable && _count != 0))
        {
            if (_count == Waiting)
                return;
            Volatile.Write(ref _count, (byte)(_count + 1));
        }
        _replaceable = motion;
        Fill(_queue.AsSpan((_first + _count - 1) % Waiting * ReportSize, InputSize));
        Host?.Ready(this, In);
    }

    private protected override UsbStatus Execute(UsbTransfer transfer)
    {
        if (_count == 0)
            return UsbStatus.Nak;
        Span<byte> report = _queue.AsSpan(_first * ReportSize, InputSize);
        UsbStatus status = transfer.Put(report);
        report.CopyTo(_last);
        _first = (byte)((_first + 1) % Waiting);
        Volatile.Write(ref _count, (byte)(_count - 1));
        SetIdleDeadline();
        return status;
    }

    private protected override ReadOnlySpan<byte> ClassDescriptor(int type) => type switch { HID => _hid, REPORT => _report, _ => [] };

    private protected override int ClassRequest(in UsbSetup setup, Span<byte> data)
    {
        if (setup.Recipient != UsbRequest.Interface || (setup.Index & 0xff) != 0)
            return Refused;
        switch (setup.Request, setup.IsIn)
        {
            case (GET_REPORT, true) when setup.Value >> 8 == InputReport:
                Fill(data);
                return InputSize;
            case (SET_REPORT, false) when setup.Value >> 8 == OutputReport:
                Output(data);
                return 0;
            case (GET_IDLE, true):
                return Answer([_idle], data);
            case (SET_IDLE, false):
                _idle = (byte)(setup.Value >> 8);
                SetIdleDeadline();
                return 0;
            case (GET_PROTOCOL, true):
                return Answer([_protocol], data);
            case (SET_PROTOCOL, false) when setup.Value <= 1:
                _protocol = (byte)setup.Value;
                return 0;
            default:
                return Refused;
        }
    }

    /// <summary>The idle rate has run out (section 7.2.4): the host hears again what it knows.</summary>
    private void Repeat()
    {
        lock (Lock)
        {
            if (_deadline > _clock.Now)
                return;
            _deadline = ulong.MaxValue;
            if (_idle != 0 && _count == 0)
                Report(motion: false);
        }
    }

    // A report of nothing pressed is not repeated: firmware wants repeated keys, and nobody needs the other.
    private void SetIdleDeadline()
        => SetDeadline(_idle == 0 || _last.AsSpan(0, InputSize).IndexOfAnyExcept((byte)0) < 0 || !Repeats ? ulong.MaxValue : _clock.Now + _idle * IdleUnit);

    /// <summary>The idle rate has a meaning.</summary>
    private protected virtual bool Repeats => false;

    private void SetDeadline(ulong deadline)
    {
        _deadline = deadline;
        _timer.Arm(deadline);
    }

    private static byte[] Descriptor(byte[] report) => [9, HID, 0x11, 0x01, 0, 1, REPORT, (byte)report.Length, (byte)(report.Length >> 8)];

    private protected override void Sync()
    {
        base.Sync();
        _first %= Waiting;
        _count = Math.Min(_count, (byte)Waiting);
        _timer.Arm(_deadline);
    }
}
