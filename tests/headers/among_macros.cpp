// A file that includes X11's, Qt's or Windows' headers before ours, as LibTorch's before those:
// their macros may be none of our names. Every layer's loops are compiled here too.
//
// (Not among them: min and max of Windows' headers, without which LibTorch asks to be included.)
#include <torch/torch.h>

// What our headers include of LibTorch beyond it.
#include <ATen/Parallel.h>
#include <ATen/TensorIterator.h>
#include <c10/util/FunctionRef.h>
#include <torch/csrc/autograd/functions/utils.h>

// X11/X.h, X11/Xlib.h, X11/Xutil.h
#define Above 0
#define AllValues 0x000F
#define Always 2
#define Below 1
#define Bool int
#define ButtonPress 4
#define Complex 0
#define ControlMask (1 << 2)
#define Convex 2
#define CopyFromParent 0L
#define CurrentTime 0L
#define CursorShape 0
#define DestroyAll 0
#define Expose 12
#define False 0
#define FocusIn 9
#define FontChange 255
#define GrayScale 1
#define KeyPress 2
#define LineSolid 0
#define None 0L
#define NoSymbol 0L
#define NotUseful 0
#define Opposite 4
#define ParentRelative 1L
#define PlaceOnTop 0
#define Status int
#define Success 0
#define True 1
#define Unsorted 0
#define WhenMapped 1
#define XValue 0x0001
#define YSorted 1

// Qt's qobjectdefs.h and qforeach.h
#define emit
// NOLINTNEXTLINE(bugprone-macro-parentheses): it is a declaration
#define foreach(variable, container) for (variable : container)
#define forever for (;;)
#define signals public
#define slots
#define Q_OBJECT
#define SIGNAL(a) #a
#define SLOT(a) #a

// Windows' headers
#define CALLBACK
#define CONST const
#define CreateWindow CreateWindowA
#define DELETE (0x00010000L)
#define DIFFERENCE 11
#define ERROR 0
#define FALSE 0
#define GetObject GetObjectA
#define IGNORE 0
#define IN
#define INFINITE 0xFFFFFFFF
#define NO_ERROR 0L
#define OPTIONAL
#define OUT
#define SendMessage SendMessageA
#define STRICT 1
#define TRUE 1
#define VOID void
#define cdecl
#define far
#define hyper __int64
#define interface struct
#define near
#define pascal
#define small char

// sys/sysmacros.h, complex.h, and what compilers with GNU's extensions define
#define I _Complex_I
#define complex _Complex
#define linux 1
#define major(dev) gnu_dev_major(dev)
#define makedev(maj, min) gnu_dev_makedev(maj, min)
#define minor(dev) gnu_dev_minor(dev)
#define unix 1

// Arduino's and macOS' old ones
#define B1 1
#define F(string) (string)
#define PI 3.14
#define bit(b) (1UL << (b))
#define check(assertion)
#define nil 0
#define verify(assertion)

#include <linked_neurons/linked_neurons.h>
#include <linked_neurons/optional.h>
#include <linked_neurons/settle_allocator.h>

namespace {

struct Square : linked_neurons::Activation {
  static constexpr auto name = "square";

  template <class T>
  LINKED_NEURONS_FN static T value(const T& z) {
    return z * z;
  }

  template <class T>
  LINKED_NEURONS_FN static T derivative(const T& z) {
    return z + z;
  }
};

} // namespace

at::Tensor every_layer(const at::Tensor& x) {
  linked_neurons::settle_allocator();
  at::Tensor sum = linked_neurons::Linked<linked_neurons::FromDerivative<Square>>()(x);
#define TESTS_ADD(A, function, Module) sum += linked_neurons::Module()(x);
  LINKED_NEURONS_FOR_ALL_ACTIVATIONS(TESTS_ADD)
  torch::nn::Linear front(4, 4);
  linked_neurons::LKReLU behind;
  linked_neurons::move_bias(front, behind);
  return sum + behind(front(x));
}
