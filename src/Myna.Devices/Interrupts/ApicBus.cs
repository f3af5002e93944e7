using Myna.Hardware.Interrupts;

namespace Myna.Devices.Interrupts;

/// <summary>Delivery modes of interrupt messages (Intel SDM volume 3, section 11.6.1).</summary>
public enum DeliveryMode : byte { Fixed, LowestPriority, Smi, Reserved, Nmi, Init, Startup, ExtInt }

/// <summary>A message to one or more local APICs.</summary>
/// <param name="Destination">APIC ID, or logical destination; <see cref="Broadcast"/> is everyone.</param>
/// <param name="Logical">Destination mode: logical rather than physical.</param>
/// <param name="Mode">What to do.</param>
/// <param name="Vector">Interrupt vector, or start-up page.</param>
/// <param name="Level">Trigger mode: level rather than edge.</param>
public readonly record struct ApicMessage(uint Destination, bool Logical, DeliveryMode Mode, byte Vector, bool Level)
{
    /// <summary>The destination that every local APIC takes for its own, in both destination modes.</summary>
    public const uint Broadcast = uint.MaxValue;

    /// <summary>A destination of eight bits, of which 0xFF is broadcast.</summary>
    public static uint Widen(byte destination) => destination == 0xff ? Broadcast : destination;
}

/// <summary>
/// What joins local APICs, I/O APICs, message-signalled interrupts and the 8259 pair of a PC. It has no state of its own.
/// Interrupt inputs, by <see cref="IInterruptSink"/>: <see cref="Lint0"/>, <see cref="Lint1"/> and <see cref="InitPin"/> of
/// all CPUs.
/// Locks are taken in the order device, 8259 or I/O APIC, local APIC; a local APIC holds none while it calls from here.
/// </summary>
public sealed class ApicBus : IMsiSink, IInterruptSink
{
    /// <summary>The processors' LINT0 (INTR of the 8259 pair), LINT1 (NMI) and INIT# inputs.</summary>
    public const int Lint0 = 0, Lint1 = 1, InitPin = 2;

    private const ulong MessageBase = 0xfee0_0000, MessageSize = 0x10_0000;

    private readonly Lock _switch = new();
    private volatile bool _hosted;
    private LocalApic[] _local = [];
    private IoApic[] _io = [];

    /// <summary>The controllers that answer an external interrupt's acknowledge.</summary>
    public I8259Pair? Pic { get; set; }

    /// <summary>The local APICs in order of their CPUs.</summary>
    public IReadOnlyList<LocalApic> LocalApics => _local;

    /// <summary>The I/O APICs.</summary>
    public IReadOnlyList<IoApic> IoApics => _io;

    /// <summary>The host's kernel, if it takes the controllers over while guest code runs. Set before anything runs.</summary>
    public IInterruptHost? Host { get; set; }

    /// <summary>The controllers change hands: no message is under way while <paramref name="transfer"/> moves their state.</summary>
    public void Switch(bool hosted, Action transfer)
    {
        lock (_switch)
        {
            _hosted = hosted;
            transfer();
        }
    }

    /// <summary>Delivers a message.</summary>
    /// <returns>False when no local APIC accepted it.</returns>
    public bool Deliver(in ApicMessage message)
    {
        if (Host is null)
            return DeliverHere(message);
        lock (_switch)
            return _hosted ? Host.Send(AddressOf(message), DataOf(message)) : DeliverHere(message);
    }

    /// <summary>A message in the form that MSIs have.</summary>
    internal static ulong AddressOf(in ApicMessage message) => MessageBase | (ulong)(message.Destination & 0xff) << 12 | (message.Logical ? 4u : 0);

    /// <inheritdoc cref="AddressOf"/>
    internal static uint DataOf(in ApicMessage message) => message.Vector | (uint)message.Mode << 8 | (message.Level ? 3u << 14 : 0);

    private bool DeliverHere(in ApicMessage message)
    {
        if (message.Mode == DeliveryMode.LowestPriority)
            return DeliverLowest(message);
        bool accepted = false;
        foreach (LocalApic apic in _local)
        {
            if (apic.IsDestination(message.Destination, message.Logical))
                accepted |= apic.Accept(message.Mode, message.Vector, message.Level);
        }
        return accepted;
    }

    /// <summary>
    /// A message-signalled interrupt (Intel SDM volume 3, section 11.11): address 0xFEExxxxx with the destination in bits
    /// 19:12, redirection hint in bit 3 and destination mode in bit 2.
    /// </summary>
    public bool Send(ulong address, uint data)
    {
        if (address - MessageBase >= MessageSize)
            return false;
        if (Host is not null)
        {
            lock (_switch)
            {
                if (_hosted)
                {
                    _ = Host.Send(address, data);
                    return true;
                }
            }
        }
        bool redirect = (address & 8) != 0, logical = (address & 4) != 0, level = (data & 1 << 15) != 0;
        var mode = (DeliveryMode)(data >> 8 & 7);
        if (redirect && logical && mode == DeliveryMode.Fixed)
            mode = DeliveryMode.LowestPriority;
        // The deassert message of a level does nothing.
        if (level && (data & 1 << 14) == 0)
            return true;
        _ = Deliver(new ApicMessage(ApicMessage.Widen((byte)(address >> 12)), logical, mode, (byte)data, level));
        return true;
    }

    /// <inheritdoc/>
    public void SetLevel(int input, bool level)
    {
        if (Host is null)
        {
            SetLevelHere(input, level);
            return;
        }
        lock (_switch)
        {
            if (!_hosted || input != InitPin)
                SetLevelHere(input, level);
            else if (level)
                _ = Host.Send(MessageBase | 0xff000, (uint)DeliveryMode.Init << 8);
        }
    }

    private void SetLevelHere(int input, bool level)
    {
        foreach (LocalApic apic in _local)
        {
            if (input != InitPin)
                apic.SetLint(input, level);
            else if (level)
                apic.InitByPin();
        }
    }

    internal void Add(LocalApic apic) => _local = [.. _local, apic];
    internal void Add(IoApic apic) => _io = [.. _io, apic];

    /// <summary>To all local APICs but one, by destination shorthand.</summary>
    internal void DeliverToAll(DeliveryMode mode, byte vector, bool level, LocalApic? except)
    {
        foreach (LocalApic apic in _local)
        {
            if (apic != except)
                _ = apic.Accept(mode, vector, level);
        }
    }

    /// <summary>An EOI message of a level-triggered interrupt.</summary>
    public void BroadcastEoi(byte vector)
    {
        foreach (IoApic apic in _io)
            apic.ReceiveEoi(vector);
    }

    /// <summary>The vector of an external interrupt, -1 when nobody answers.</summary>
    internal int AcknowledgeExternal() => Pic is { } pic ? pic.Acknowledge() : -1;

    /// <summary>
    /// Of the destinations, the one whose processor priority is lowest (Intel SDM volume 3, section 11.6.2.4); among equals
    /// the vector decides, so that interrupts spread and yet stay where they are.
    /// </summary>
    private bool DeliverLowest(in ApicMessage message)
    {
        int lowest = int.MaxValue, equals = 0;
        foreach (LocalApic apic in _local)
        {
            if (!apic.AcceptsInterrupts || !apic.IsDestination(message.Destination, message.Logical))
                continue;
            int priority = apic.PriorityClass;
            equals = priority < lowest ? 1 : priority == lowest ? equals + 1 : equals;
            lowest = Math.Min(lowest, priority);
        }
        if (equals == 0)
            return false;
        int chosen = message.Vector % equals;
        LocalApic? last = null;
        foreach (LocalApic apic in _local)
        {
            if (!apic.AcceptsInterrupts || !apic.IsDestination(message.Destination, message.Logical))
                continue;
            // Priorities may have changed meanwhile: any destination is right then.
            last ??= apic;
            if (apic.PriorityClass != lowest)
                continue;
            last = apic;
            if (chosen-- == 0)
                break;
        }
        return last is not null && last.Accept(DeliveryMode.Fixed, message.Vector, message.Level);
    }
}
