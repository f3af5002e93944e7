namespace Myna.Host.Kvm;

/// <summary>Requests of ioctl(2) on /dev/kvm and its descendants, by their names in linux/kvm.h.</summary>
internal static class KvmIoctl
{
    private const uint Type = 0xAE00, In = 0x4000_0000, Out = 0x8000_0000;

    private static uint Io(uint number) => Type | number;
    private static uint Iow(uint number, int size) => In | (uint)size << 16 | Type | number;
    private static uint Ior(uint number, int size) => Out | (uint)size << 16 | Type | number;
    private static uint Iowr(uint number, int size) => In | Out | (uint)size << 16 | Type | number;

    // System.
    public static readonly uint GET_API_VERSION = Io(0x00), CREATE_VM = Io(0x01), GET_MSR_INDEX_LIST = Iowr(0x02, 4), CHECK_EXTENSION = Io(0x03), GET_VCPU_MMAP_SIZE = Io(0x04),
        GET_SUPPORTED_CPUID = Iowr(0x05, 8), GET_MSR_FEATURE_INDEX_LIST = Iowr(0x0a, 4);

    // Virtual machine.
    public static readonly uint CREATE_VCPU = Io(0x41), GET_DIRTY_LOG = Iow(0x42, 16), SET_USER_MEMORY_REGION = Iow(0x46, 32), SET_TSS_ADDR = Io(0x47),
        SET_IDENTITY_MAP_ADDR = Iow(0x48, 8), SET_USER_MEMORY_REGION2 = Iow(0x49, 160), CREATE_IRQCHIP = Io(0x60), IRQ_LINE = Iow(0x61, 8), GET_IRQCHIP = Iowr(0x62, 520), SET_IRQCHIP = Ior(0x63, 520),
        REGISTER_COALESCED_MMIO = Iow(0x67, 16), UNREGISTER_COALESCED_MMIO = Iow(0x68, 16), SET_GSI_ROUTING = Iow(0x6a, 8), REINJECT_CONTROL = Io(0x71), IRQFD = Iow(0x76, 32),
        CREATE_PIT2 = Iow(0x77, 64), IOEVENTFD = Iow(0x79, 64), SET_CLOCK = Iow(0x7b, 48), GET_CLOCK = Ior(0x7c, 48), GET_PIT2 = Ior(0x9f, 112), SET_PIT2 = Iow(0xa0, 112),
        ENABLE_CAP = Iow(0xa3, 104), SIGNAL_MSI = Iow(0xa5, 32), CLEAR_DIRTY_LOG = Iowr(0xc0, 24), X86_SET_MSR_FILTER = Iow(0xc6, 392), RESET_DIRTY_RINGS = Io(0xc7);

    // Virtual CPU.
    public static readonly uint RUN = Io(0x80), GET_REGS = Ior(0x81, 144), SET_REGS = Iow(0x82, 144), GET_SREGS = Ior(0x83, 312), SET_SREGS = Iow(0x84, 312), TRANSLATE = Iowr(0x85, 24),
        INTERRUPT = Iow(0x86, 4), GET_MSRS = Iowr(0x88, 8), SET_MSRS = Iow(0x89, 8), GET_LAPIC = Ior(0x8e, 1024), SET_LAPIC = Iow(0x8f, 1024), SET_CPUID2 = Iow(0x90, 8), GET_CPUID2 = Iowr(0x91, 8),
        GET_MP_STATE = Ior(0x98, 4), SET_MP_STATE = Iow(0x99, 4), NMI = Io(0x9a), SET_GUEST_DEBUG = Iow(0x9b, 72), GET_VCPU_EVENTS = Ior(0x9f, 64), SET_VCPU_EVENTS = Iow(0xa0, 64),
        GET_DEBUGREGS = Ior(0xa1, 128), SET_DEBUGREGS = Iow(0xa2, 128), SET_TSC_KHZ = Io(0xa2), GET_TSC_KHZ = Io(0xa3), GET_XSAVE = Ior(0xa4, 4096), SET_XSAVE = Iow(0xa5, 4096),
        GET_XCRS = Ior(0xa6, 392), SET_XCRS = Iow(0xa7, 392), KVMCLOCK_CTRL = Io(0xad), GET_SREGS2 = Ior(0xcc, 320), SET_SREGS2 = Iow(0xcd, 320), GET_XSAVE2 = Ior(0xcf, 4096),
        SET_DEVICE_ATTR = Iow(0xe1, 24), GET_DEVICE_ATTR = Iow(0xe2, 24);
}

/// <summary>Optional parts of the interface, by their names and numbers in linux/kvm.h.</summary>
public enum KvmCapability
{
    IRQCHIP = 0, HLT = 1, USER_MEMORY = 3, SET_TSS_ADDR = 4, EXT_CPUID = 7, CLOCKSOURCE = 8, NR_VCPUS = 9, NR_MEMSLOTS = 10, MP_STATE = 14, COALESCED_MMIO = 15,
    SET_GUEST_DEBUG = 23, IRQ_ROUTING = 25, INTERNAL_ERROR_DATA = 40, IRQFD = 32, PIT2 = 33, IOEVENTFD = 36, SET_IDENTITY_MAP_ADDR = 37, ADJUST_CLOCK = 39, VCPU_EVENTS = 41, DEBUGREGS = 50,
    X86_ROBUST_SINGLESTEP = 51, XSAVE = 55, XCRS = 56, ASYNC_PF = 59, TSC_CONTROL = 60, GET_TSC_KHZ = 61, MAX_VCPUS = 66, TSC_DEADLINE_TIMER = 72, SYNC_REGS = 74, SIGNAL_MSI = 77,
    READONLY_MEM = 81, IRQFD_RESAMPLE = 82, SPLIT_IRQCHIP = 121, IOEVENTFD_ANY_LENGTH = 122, MAX_VCPU_ID = 128, X2APIC_API = 129, IMMEDIATE_EXIT = 136, X86_DISABLE_EXITS = 143,
    GET_MSR_FEATURES = 153, NESTED_STATE = 157, COALESCED_PIO = 162, EXCEPTION_PAYLOAD = 164, MANUAL_DIRTY_LOG_PROTECT2 = 168, X86_SMM = 117, STEAL_TIME = 187, X86_USER_SPACE_MSR = 188,
    X86_MSR_FILTER = 189, DIRTY_LOG_RING = 192, SET_GUEST_DEBUG2 = 195, SREGS2 = 200, EXIT_ON_EMULATION_FAILURE = 204, XSAVE2 = 208, VM_TSC_CONTROL = 214, X86_TRIPLE_FAULT_EVENT = 218,
    X86_NOTIFY_VMEXIT = 219, DIRTY_LOG_RING_ACQ_REL = 223, USER_MEMORY2 = 231, MEMORY_FAULT_INFO = 232, GUEST_MEMFD = 234, VM_TYPES = 235,
}
