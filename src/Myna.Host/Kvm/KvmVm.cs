namespace Myna.Host.Kvm;

/// <summary>A virtual machine of the kernel's. Members throw <see cref="IOException"/> when the kernel refuses.</summary>
public sealed unsafe class KvmVm : KvmDescriptor
{
    private readonly int _runSize;

    private readonly KvmWithheld? _withheld;

    internal KvmVm(int descriptor, int runSize, KvmWithheld? withheld) : base(descriptor) => (_runSize, _withheld) = (runSize, withheld);

    /// <inheritdoc cref="KvmHost.Check"/>
    public int Check(KvmCapability capability) => _withheld?.Lacks(capability) == true ? 0 : Math.Max(0, Call(KvmIoctl.CHECK_EXTENSION, (nint)capability));

    /// <summary>Switches an optional behaviour on.</summary>
    /// <returns>False: the kernel does not have it.</returns>
    public bool TryEnable(KvmCapability capability, ulong argument = 0, ulong second = 0)
    {
        var cap = new KvmEnableCap { Capability = (uint)capability, Argument0 = argument, Argument1 = second };
        return _withheld?.Lacks(capability) != true && Call(KvmIoctl.ENABLE_CAP, ref cap) >= 0;
    }

    /// <summary>Where Intel's processors without unrestricted guest keep three pages and one for real mode. Before any CPU.</summary>
    public void SetRealModePages(ulong identityMap, ulong tss)
    {
        _ = Check(Call(KvmIoctl.SET_IDENTITY_MAP_ADDR, ref identityMap), "cannot place the identity map");
        _ = Check(Call(KvmIoctl.SET_TSS_ADDR, (nint)tss), "cannot place the TSS");
    }

    /// <param name="id">The initial APIC ID.</param>
    public KvmVcpu CreateVcpu(int id) => new(Check(Call(KvmIoctl.CREATE_VCPU, id), $"cannot create CPU {id}"), _runSize, _withheld);

    /// <summary>Puts host memory into the guest's physical address space, replaces or, with size 0, removes it.</summary>
    /// <param name="slot">The caller's number of it.</param>
    /// <param name="hostAddress">Of memory that stays mapped until the slot has gone.</param>
    public void SetMemory(int slot, ulong guestAddress, ulong size, nint hostAddress, bool readOnly, bool logDirty = false)
    {
        var region = new KvmMemoryRegion { Slot = (uint)slot, Flags = (readOnly ? 2u : 0) | (logDirty ? 1u : 0), GuestAddress = guestAddress, Size = size, HostAddress = (ulong)hostAddress };
        int result;
        do
            result = Call(KvmIoctl.SET_USER_MEMORY_REGION, ref region);
        while (result is -EINTR or -EAGAIN);
        _ = Check(result, $"cannot map {size} bytes of memory at 0x{guestAddress:x}");
    }

    /// <summary>Pages of a slot written since they were last cleared, one bit each.</summary>
    public void GetDirtyLog(int slot, Span<ulong> bitmap)
    {
        fixed (ulong* p = bitmap)
        {
            var log = new KvmDirtyLog { Slot = (uint)slot, FirstOrBitmap = (ulong)p };
            _ = Check(Call(KvmIoctl.GET_DIRTY_LOG, ref log), "cannot get the log of written pages");
        }
    }

    /// <summary>With manual protection: the pages whose bits are set are clean again.</summary>
    /// <param name="first">The first page, a multiple of 64.</param>
    public void ClearDirtyLog(int slot, ulong first, uint pages, Span<ulong> bitmap)
    {
        fixed (ulong* p = bitmap)
        {
            var log = new KvmDirtyLog { Slot = (uint)slot, Pages = pages, FirstOrBitmap = first, Bitmap = (ulong)p };
            _ = Check(Call(KvmIoctl.CLEAR_DIRTY_LOG, ref log), "cannot clear the log of written pages");
        }
    }

    /// <summary>Entries of dirty rings that were taken may be used again, and their pages are protected anew.</summary>
    public void ResetDirtyRings() => _ = Check(Call(KvmIoctl.RESET_DIRTY_RINGS), "cannot reset the rings of written pages");

    /// <summary>MSRs that the guest may not reach by itself: accesses to them raise #GP or come here, if that is switched on.</summary>
    /// <param name="first">Of <paramref name="count"/> MSRs that are denied, reads and writes.</param>
    /// <returns>False: the kernel has no filter.</returns>
    public bool TryDenyMsrs(uint first, uint count)
    {
        const uint Read = 1, Write = 2;
        // Zeros: denied. What no range names is allowed.
        byte* bitmap = stackalloc byte[(int)(count + 7) / 8];
        new Span<byte>(bitmap, (int)(count + 7) / 8).Clear();
        using var block = new NativeBlock(392);
        block.At<uint>() = 0;
        block.At<uint>(8) = Read | Write;
        block.At<uint>(12) = count;
        block.At<uint>(16) = first;
        // SAFETY: the kernel copies the bitmap during the call.
        block.At<ulong>(24) = (ulong)bitmap;
        return Call(KvmIoctl.X86_SET_MSR_FILTER, block.Address) >= 0;
    }

    // Interrupts.

    /// <summary>Local APICs, I/O APIC and 8259s in the kernel. Before any CPU.</summary>
    public void CreateIrqchip() => _ = Check(Call(KvmIoctl.CREATE_IRQCHIP), "cannot create interrupt controllers");

    /// <summary>Local APICs in the kernel, the rest here. Before any CPU.</summary>
    /// <param name="pins">GSIs that stand for I/O APIC pins.</param>
    public void CreateSplitIrqchip(int pins)
    {
        if (!TryEnable(KvmCapability.SPLIT_IRQCHIP, (ulong)pins))
            throw new IOException("KVM: cannot create local APICs alone");
    }

    /// <summary>An 8254 in the kernel, wired to GSI 0; with <paramref name="speaker"/> its port 61h too.</summary>
    public void CreatePit2(bool speaker)
    {
        var config = new KvmPitConfig { Flags = speaker ? KvmPitConfig.SpeakerDummy : 0 };
        _ = Check(Call(KvmIoctl.CREATE_PIT2, ref config), "cannot create a timer");
    }

    /// <summary>Level of an input of the interrupt controllers in the kernel.</summary>
    public void SetLine(uint gsi, bool level)
    {
        ulong line = gsi | (level ? 1UL : 0) << 32;
        _ = Check(Call(KvmIoctl.IRQ_LINE, ref line), $"cannot set interrupt line {gsi}");
    }

    /// <summary>Sends a message to the local APICs in the kernel.</summary>
    /// <returns>False: the guest blocks it, or there is no such APIC.</returns>
    public bool SignalMsi(ulong address, uint data)
    {
        var msi = new KvmMsi { AddressLow = (uint)address, AddressHigh = (uint)(address >> 32), Data = data };
        return Call(KvmIoctl.SIGNAL_MSI, ref msi) > 0;
    }

    /// <summary>Replaces the table that says where GSIs go.</summary>
    public void SetRouting(ReadOnlySpan<KvmRoute> routes)
    {
        using var block = new NativeBlock(8 + routes.Length * sizeof(KvmRoute));
        block.At<int>() = routes.Length;
        routes.CopyTo(block.Span<KvmRoute>(8, routes.Length));
        _ = Check(Call(KvmIoctl.SET_GSI_ROUTING, block.Address), "cannot set the routes of interrupts");
    }

    /// <summary>An event whose signal raises a GSI, without this process.</summary>
    /// <param name="resample">
    /// For a level: the signal keeps the GSI high until the guest has ended the interrupt; it is low then, and this event tells so: a device that still
    /// wants it signals again. Null for an edge or a message.
    /// </param>
    public void SetIrqfd(KvmEvent source, uint gsi, bool on, KvmEvent? resample = null)
    {
        var irqfd = new KvmIrqfd
        {
            Descriptor = (uint)source.Descriptor, Gsi = gsi, Flags = (on ? 0 : KvmIrqfd.Deassign) | (on && resample is not null ? KvmIrqfd.Resample : 0),
            ResampleDescriptor = (uint)(resample?.Descriptor ?? 0),
        };
        _ = Check(Call(KvmIoctl.IRQFD, ref irqfd), $"cannot wire an event to interrupt {gsi}");
    }

    /// <summary>An event that a guest's write signals, which then needs no exit to this process.</summary>
    /// <param name="length">Bytes of the write: 1, 2, 4, 8, or 0 for any.</param>
    /// <param name="match">The value written, or null for any.</param>
    public void SetIoeventfd(KvmEvent target, ulong address, int length, bool port, ulong? match, bool on)
    {
        var io = new KvmIoeventfd
        {
            Descriptor = target.Descriptor, Address = address, Length = (uint)length, DataMatchValue = match ?? 0,
            Flags = (port ? KvmIoeventfd.Pio : 0) | (match is null ? 0 : KvmIoeventfd.DataMatch) | (on ? 0 : KvmIoeventfd.Deassign),
        };
        _ = Check(Call(KvmIoctl.IOEVENTFD, ref io), $"cannot wire address 0x{address:x} to an event");
    }

    /// <summary>Writes to a range are gathered in the ring of <see cref="KvmVcpu.CoalescedRing"/> rather than exits.</summary>
    public void SetCoalesced(ulong address, uint size, bool port, bool on)
    {
        var zone = new KvmCoalescedZone { Address = address, Size = size, Port = port ? 1u : 0 };
        _ = Check(Call(on ? KvmIoctl.REGISTER_COALESCED_MMIO : KvmIoctl.UNREGISTER_COALESCED_MMIO, ref zone), $"cannot gather writes to 0x{address:x}");
    }

    public void GetIrqchip(ref KvmIrqchip chip) => _ = Check(Call(KvmIoctl.GET_IRQCHIP, ref chip), "cannot read an interrupt controller");

    public void SetIrqchip(ref KvmIrqchip chip) => _ = Check(Call(KvmIoctl.SET_IRQCHIP, ref chip), "cannot write an interrupt controller");

    public void GetPit(ref KvmPitState pit) => _ = Check(Call(KvmIoctl.GET_PIT2, ref pit), "cannot read the timer");

    public void SetPit(ref KvmPitState pit) => _ = Check(Call(KvmIoctl.SET_PIT2, ref pit), "cannot write the timer");

    /// <summary>kvmclock.</summary>
    public KvmClockData Clock
    {
        get
        {
            KvmClockData data = default;
            _ = Check(Call(KvmIoctl.GET_CLOCK, ref data), "cannot read the clock");
            return data;
        }
        set => _ = Check(Call(KvmIoctl.SET_CLOCK, ref value), "cannot set the clock");
    }
}
